"""What a fresh conversation may be told of the one it replaces."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from oneseat.contract.errors import ErrorInfo
from oneseat.contract.sessions import Exchange, Session

from .making import make_request, make_result, make_writer

SECRET = "sk-ant-oat01-PLANTED"


def test_the_last_completed_exchanges_of_a_session_are_told_in_order_and_without_secrets(
    tmp_path: Path,
) -> None:
    writer = make_writer(tmp_path / "runs.db", redact=lambda text: text.replace(SECRET, "[redacted]"))
    session = Session(
        id="s1",
        project="shop",
        cwd="/desk",
        wallet="plan",
        provider="claude-cli",
        created_at="t",
        used_at="t",
        messages=1,
        instructions="",
    )
    failed = ErrorInfo(code="provider.overloaded", message="it failed")
    for run_id, prompt, error in (
        ("1", f"first {SECRET}", None),
        ("2", "second", failed),
        ("3", "third", None),
    ):
        writer.begin(run_id, make_request(prompt), "claude-cli")
        writer.use_session(session, run_id, "new_session")
        writer.finish(make_result(run_id, error=error, text=f"answer {run_id}"))
    writer.begin("4", make_request("goes on"), "claude-cli")
    writer.use_session(session, "4", "new_session")
    assert writer.exchanges("s1") == (Exchange("first [redacted]", "answer 1"), Exchange("third", "answer 3"))
    assert writer.exchanges("s2") == ()
    # Whoever keeps no text from now on does not quote what was kept before either.
    writer.close()
    with closing(make_writer(tmp_path / "runs.db", keep_text=False)) as silent:
        assert silent.exchanges("s1") == ()
