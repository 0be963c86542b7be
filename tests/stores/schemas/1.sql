CREATE TABLE runs (
    id TEXT PRIMARY KEY,
    created_at TEXT NOT NULL,
    ended_at TEXT,
    status TEXT NOT NULL,
    provider TEXT NOT NULL,
    model TEXT,
    cwd TEXT NOT NULL,
    prompt_bytes INTEGER NOT NULL,
    prompt_sha256 TEXT NOT NULL,
    prompt_preview TEXT,
    text TEXT,
    error_code TEXT,
    error_message TEXT,
    wallet TEXT,
    expected_wallet TEXT,
    verdict TEXT,
    cost_usd REAL,
    equivalent_cost_usd REAL,
    policy_tier TEXT,
    policy_rule TEXT,
    policy_pack TEXT,
    policy_inputs TEXT,
    duration_ms INTEGER,
    result TEXT,
    owner_pid INTEGER NOT NULL,
    owner_started REAL NOT NULL,
    session_id TEXT,
    project TEXT,
    role TEXT,
    client TEXT,
    key_name TEXT,
    paid_from TEXT,
    reserved_usd REAL,
    used_usd REAL
);
CREATE INDEX runs_by_time ON runs (created_at);
CREATE INDEX runs_going_on ON runs (owner_pid) WHERE status = 'running';
CREATE INDEX runs_by_session ON runs (session_id) WHERE session_id IS NOT NULL;
CREATE INDEX runs_by_end ON runs
    (ended_at, expected_wallet, key_name, role, project, client, equivalent_cost_usd, reserved_usd, used_usd);
CREATE TABLE events (
    id INTEGER PRIMARY KEY,
    run_id TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    seq INTEGER NOT NULL,
    at TEXT NOT NULL,
    type TEXT NOT NULL,
    json TEXT NOT NULL,
    UNIQUE (run_id, seq)
);
CREATE TABLE sessions (
    id TEXT PRIMARY KEY,
    project TEXT NOT NULL,
    cwd TEXT NOT NULL,
    wallet TEXT NOT NULL,
    provider TEXT NOT NULL,
    created_at TEXT NOT NULL,
    used_at TEXT NOT NULL,
    messages INTEGER NOT NULL,
    instructions TEXT NOT NULL,
    ended_at TEXT,
    end_reason TEXT
);
CREATE UNIQUE INDEX live_session ON sessions (project, cwd, wallet, provider) WHERE ended_at IS NULL;
CREATE TABLE limits (
    provider TEXT NOT NULL,
    simulated INTEGER NOT NULL,
    window TEXT NOT NULL,
    status TEXT NOT NULL,
    used REAL,
    resets_at REAL,
    source TEXT NOT NULL,
    overage INTEGER,
    first_at REAL NOT NULL,
    last_at REAL NOT NULL
);
CREATE INDEX limits_by_window ON limits (provider, simulated, window, last_at);
CREATE INDEX limits_by_time ON limits (last_at);
CREATE TABLE outcomes (candidate TEXT NOT NULL, at REAL NOT NULL, code TEXT);
CREATE INDEX outcomes_by_candidate ON outcomes (candidate, at);
CREATE TABLE moved (
    run_id TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    key_name TEXT,
    usd REAL NOT NULL
);
CREATE INDEX moved_by_run ON moved (run_id);
