PRAGMA application_id = 1869835367;
PRAGMA user_version = 1;
INSERT INTO runs (
    id, created_at, ended_at, status, provider, model, cwd, prompt_bytes, prompt_sha256, prompt_preview, text,
    wallet, expected_wallet, verdict, cost_usd, equivalent_cost_usd, policy_tier, policy_rule, policy_pack,
    duration_ms, result, owner_pid, owner_started, session_id, project, reserved_usd,
    role, client, key_name, paid_from, policy_inputs
) VALUES (
    'old-run', '2026-11-20T12:00:01.000Z', '2026-11-20T12:00:02.000Z', 'completed', 'claude-cli', 'claude-sonnet-5',
    '/desk', 6, 'd7d5a1d41a9a5ae31b9e7b4b8a4e5c1f2f5f5d7e4a4c7b0d1e2f3a4b5c6d7e8f', 'say ok', 'ok',
    'plan', 'plan', 'verified', 0.0, 0.25, 'GREEN', 'G1', '2026.11.20', 1000,
    '{"run_id":"old-run","status":"completed","text":"","receipt":{"provider":"claude-cli","model":"claude-sonnet-5","wallet":"plan","expected_wallet":"plan","verdict":"verified","evidence":[{"what":"account.tokenSource","value":"CLAUDE_CODE_OAUTH_TOKEN","when":"before"}]}}',
    4242, 1700000000.5, '5f0c5a54-0000-4000-8000-000000000001', 'shop', 0.5,
    'code', NULL, NULL, 'plan', '{"author":"owner"}'
);
INSERT INTO events (run_id, seq, at, type, json) VALUES (
    'old-run', 1, '2026-11-20T12:00:01.500Z', 'message', '{"type":"message","text":"ok","subagent":null}'
);
INSERT INTO sessions (id, project, cwd, wallet, created_at, used_at, messages, instructions, provider) VALUES (
    '5f0c5a54-0000-4000-8000-000000000001', 'shop', '/desk', 'plan', '2026-11-20T12:00:01.000Z', '2026-11-20T12:00:01.000Z', 1,
    'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855', 'claude-cli'
);
INSERT INTO limits (provider, simulated, window, status, used, resets_at, source, overage, first_at, last_at) VALUES (
    'claude-cli', 0, 'five_hour', 'allowed_warning', 0.93, 1795176316.0, 'rate_limit_event', 0, 1795165200.0, 1795165260.0
);
INSERT INTO outcomes (candidate, at, code) VALUES ('anthropic (api_key `work`)', 1700000000.5, 'provider.overloaded');
INSERT INTO moved (run_id, key_name, usd) VALUES ('old-run', 'work', 0.25), ('old-run', 'home', -0.25);
