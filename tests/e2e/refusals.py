"""Checks that apply to every command that is refused."""

from __future__ import annotations

from .driving import Done, Seat, check_snapshot


def refused(name: str, seat: Seat, *arguments: str, stdin: bytes | None = None) -> Done:
    """Run a command with text and JSON output and check what applies to every refusal."""
    plain = seat.run(*arguments, stdin=stdin)
    assert plain.stderr.startswith("error: "), plain
    assert plain.stderr.count("\nhint: ") <= 1, plain
    _, _, hint = plain.stderr.partition("\nhint: ")
    assert not hint or hint.count("`") >= 2, plain
    machine = seat.run(arguments[0], "--json", *arguments[1:], stdin=stdin)
    error = machine.result["error"]
    assert (machine.code, machine.result["status"]) == (
        plain.code,
        "refused" if plain.code == 3 else "failed",
    )
    assert f"error: {error['message']}\n  code {error['code']}\n" in plain.stderr
    assert (error["hint"] or "") == hint.partition("\nreceipt: ")[0].rstrip("\n")
    if not machine.result["run_id"]:
        # There was no run, so there is no provider.
        assert machine.result["receipt"]["provider"] is None
    check_snapshot(name, seat, plain)
    return plain
