"""Who pays, end to end: every situation of the table, met with the real CLI in front of a simulated vendor.

A refusal is only worth something if nothing was sent, so each row counts the requests that reached the vendor, and looks at
how they were signed. No made-up secret may be found in anything that oneseat printed, stored or passed on.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from oneseat import make_request
from oneseat.app.wiring import opened_app
from oneseat.contract.billing_names import CLAUDE_NAMES
from oneseat.contract.errors import exit_code
from oneseat.installation import Installation
from oneseat.testing import Behaviour, RecordedRequest, Simulator
from oneseat.testing.fake_cli import Initialized, Print, Result
from tests.e2e.credential_rows import (
    BEYOND,
    PLANTED,
    RECORDED,
    SIGNED_OUT,
    Decision,
    Row,
    World,
    stored,
    together,
)
from tests.e2e.driving import Seat, fake_seat

ROWS = RECORDED + BEYOND
DECISIVE = tuple(row for row in ROWS if row.decisive)
MATRIX = Path(__file__).parents[2] / "data" / "claude" / "auth-matrix.jsonl"
LABEL = "seat"
#: A vendor's real address would meet a closed port of this machine.
NO_WAY_OUT = "export HTTPS_PROXY=http://127.0.0.1:9 HTTP_PROXY=http://127.0.0.1:9 NO_PROXY=127.0.0.1"


Met = tuple[World, tuple[Row, ...]]


def named(met: Met) -> str:
    _, (first, *others) = met
    return f"{first.case}-{first.met}" + f"-and-{len(others)}-more" * bool(others)


def every_row(rows: Iterable[Row]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("met", together(rows), ids=named)


def one_of_each_exit_code(rows: Iterable[Row]) -> list[Row]:
    return list({row.decision.exit: row for row in rows}.values())


class Ended(NamedTuple):
    """One run: its result as JSON, its exit code, and every byte that could have given a secret away."""

    result: dict[str, Any]
    code: int
    traces: dict[str, bytes]


class Scene:
    """One situation, set up: a seat whose `claude` is a script that notes what it was given and starts the real CLI."""

    def __init__(self, root: Path, cli: Path, simulator: Simulator, world: World, play: str = "ok") -> None:
        self.root = root
        self.simulator = simulator
        self._words = {"$ELSEWHERE": simulator.url("ok", label="elsewhere"), "$OTHER": str(root / "other")}
        self.script = root / "claude"
        self.seat = Seat(root, self.script)
        self.seat.env |= {
            "ONESEAT_SIMULATOR_URL": simulator.url(play, label=LABEL),
            "ONESEAT_SIMULATOR_LOGIN": world.login,
            **{name: self._filled(value) for name, value in world.env.items()},
        }
        self._write_files(world)
        self.script.write_text(self._script(cli, world))
        self.script.chmod(0o700)

    def _write_files(self, world: World) -> None:
        home, cwd = self.seat.home.parent / ".claude", self.seat.cwd / ".claude"
        other = self.root / "other"
        for folder in (home, cwd, other):
            folder.mkdir()
        files = {
            home / "settings.json": world.user,
            cwd / "settings.json": world.project,
            cwd / "settings.local.json": world.local,
        }
        for path, settings in files.items():
            if settings is not None:
                path.write_text(self._filled(json.dumps(settings)))
        (self.seat.cwd / ".env").write_text(world.dotenv)
        for folder in (home, other):
            # A simulated run may use neither the stored login nor another one.
            (folder / ".credentials.json").write_text(stored("user:inference").split("\n")[1])

    def _script(self, cli: Path, world: World) -> str:
        exports = [f"export {name}={shlex.quote(value)}" for name, value in world.exports.items()]
        lines = [
            "#!/bin/sh",
            f"""printf '%s\\n' "$@" > {shlex.quote(str(self.root / "argv"))}""",
            f"env > {shlex.quote(str(self.root / 'environ'))}",
            NO_WAY_OUT,
            f"CLI={shlex.quote(str(cli))}",
            *exports,
            world.shell,
            f'exec "$CLI" "$@" {shlex.join(world.options)}',
        ]
        return self._filled("\n".join(lines)) + "\n"

    def _filled(self, text: str) -> str:
        for word, meaning in self._words.items():
            text = text.replace(word, meaning)
        return text

    async def run(self) -> Ended:
        """Run a prompt in this process. The ledger is read while it is still open, its journal included."""
        async with opened_app(Installation(self.seat.env, self.seat.cwd)) as app:
            result = await app.run(make_request("say ok", cwd=self.seat.cwd))
            encoded = msgspec.json.encode(result)
            code = exit_code(result.error.code) if result.error is not None else 0
            return Ended(json.loads(encoded), code, {"result": encoded, **self._traces()})

    def type(self) -> Ended:
        """Run a prompt as the command does."""
        done = self.seat.run("run", "say ok", "--json")
        printed = {"stdout": done.stdout.encode(), "stderr": done.stderr.encode()}
        return Ended(done.result, done.code, {**printed, **self._traces()})

    def _traces(self) -> dict[str, bytes]:
        """Every byte oneseat stored, and the command line and environment it gave to the CLI."""
        given = [self.root / "argv", self.root / "environ"]
        kept = [path for path in self.seat.home.rglob("*") if path.is_file()]
        return {path.name: path.read_bytes() for path in (*given, *kept)}

    def place(self, written: str) -> str:
        """A place of the table as a path of this scene."""
        for short, folder in (("~/", self.seat.home.parent), ("./", self.seat.cwd)):
            if written.startswith(short):
                return str(folder / written.removeprefix(short))
        return written

    def expected(self, rows: Iterable[Row]) -> set[tuple[str, str]]:
        """The sources that the receipt has to name."""
        return {
            (f"{effect}:{name}", self.place(place))
            for row in rows
            for effect, places in (("kept", row.kept), ("present", row.present))
            for name, place in places.items()
        }


def sources(result: dict[str, Any]) -> set[tuple[str, str]]:
    """The sources that the receipt names. The private folder of a simulated run differs from run to run."""
    found = set()
    for evidence in result["receipt"]["evidence"]:
        if evidence["what"].startswith(("kept:", "present:")):
            _, private, file = evidence["value"].rpartition("/config/")
            found.add((evidence["what"], f"*{private}{file}" if private else evidence["value"]))
    return found


def check(scene: Scene, rows: tuple[Row, ...], ended: Ended) -> None:
    """Rows that were met at once ended as the table says, and left no trace of a secret."""
    receipt, decision = ended.result["receipt"], rows[0].decision
    code = ended.result["error"] and ended.result["error"]["code"]
    assert Decision(ended.result["status"], ended.code, code, receipt["wallet"]) == decision
    assert receipt["expected_wallet"] == "simulator"
    assert sources(ended.result) == scene.expected(rows)
    assert (receipt["cost_usd"], receipt["attempts"]) == (0.0, decision.runs)
    if decision.runs:
        assert (ended.result["text"], receipt["verdict"]) == ("ok from the simulator", "verified")
        assert signatures(scene.simulator.requests()) == {(("bearer",), True)}
    else:
        assert (ended.result["text"], receipt["verdict"]) == ("", "nothing_sent")
        assert signatures(scene.simulator.requests()) == set()
        for row in rows:
            check_words(scene, row, ended.result["error"])
    assert len(scene.simulator.messages(LABEL)) == len(scene.simulator.messages()) == decision.runs
    assert {name for name, content in ended.traces.items() if PLANTED.encode() in content} == set()
    assert {"argv", "environ", "runs.db"} <= set(ended.traces)


def check_words(scene: Scene, row: Row, error: dict[str, Any]) -> None:
    """A refusal says where the winner is, or what else is wrong, and gives one command."""
    named = [f"{scene.place(place).removeprefix('*')}`" for place in row.present.values()]
    assert any(place in error["message"] for place in named) is bool(named)
    assert row.why in error["message"]
    assert row.why or row.present or row.decision == SIGNED_OUT
    if row.decision == SIGNED_OUT:
        for name, place in row.kept.items():
            assert f"`{name}` ({scene.place(place)})" in error["message"]
    assert error["hint"].count("`") >= 2


def signatures(requests: list[RecordedRequest]) -> set[tuple[tuple[str, ...], bool]]:
    """How requests were signed, and whether with the simulator's own token. Those that carry nothing are no matter."""
    return {(request.auth, request.simulator_token) for request in requests if request.method == "POST"}


def test_every_recorded_case_has_a_row() -> None:
    recorded = [json.loads(line)["case"] for line in MATRIX.read_text().splitlines()]
    assert sorted(recorded) == sorted({row.case for row in RECORDED})


@every_row(ROWS)
async def test_who_pays(met: Met, tmp_path: Path, claude_path: Path, simulator: Simulator) -> None:
    world, rows = met
    scene = Scene(tmp_path, claude_path, simulator, world)
    check(scene, rows, await scene.run())


@every_row(DECISIVE)
async def test_who_pays_with_the_oldest_cli(
    met: Met, tmp_path: Path, old_claude_path: Path, simulator: Simulator
) -> None:
    world, rows = met
    scene = Scene(tmp_path, old_claude_path, simulator, world)
    check(scene, rows, await scene.run())


@every_row(one_of_each_exit_code(DECISIVE))
def test_who_pays_when_it_is_typed(met: Met, tmp_path: Path, claude_path: Path, simulator: Simulator) -> None:
    world, rows = met
    scene = Scene(tmp_path, claude_path, simulator, world)
    check(scene, rows, scene.type())


async def test_a_run_on_extra_paid_usage_is_stopped_and_called_misbilled(
    tmp_path: Path, old_claude_path: Path, simulator: Simulator
) -> None:
    """With the oldest CLI; the newest meets it in the table of faults."""
    ended = await Scene(tmp_path, old_claude_path, simulator, World(), "overage").run()
    receipt, error = ended.result["receipt"], ended.result["error"]
    assert (ended.code, ended.result["status"], error["code"]) == (4, "failed", "billing.overage")
    assert (receipt["verdict"], receipt["expected_wallet"]) == ("misbilled", "simulator")
    assert {"what": "rate_limit.overage", "value": True, "when": "during"} in receipt["evidence"]
    assert len(simulator.messages(LABEL)) == 1


def test_a_key_that_shows_only_when_the_prompt_is_taken_stops_the_run(tmp_path: Path) -> None:
    taken = {
        "type": "system",
        "subtype": "init",
        "cwd": "/",
        "session_id": "s",
        "tools": [],
        "mcp_servers": [],
    }
    said = json.dumps({**taken, "model": "fake", "apiKeySource": "ANTHROPIC_API_KEY"})
    seat, _ = fake_seat(
        tmp_path, Behaviour(on_initialize=(Initialized(),), on_user=(Print(f"{said}\n"), Result()))
    )
    done = seat.run("run", "say ok", "--json")
    receipt, error = done.result["receipt"], done.result["error"]
    assert (done.code, done.result["status"], error["code"]) == (4, "failed", "billing.misbilled")
    assert receipt["verdict"] == "misbilled"
    assert {"what": "init.apiKeySource", "value": "ANTHROPIC_API_KEY", "when": "during"} in receipt[
        "evidence"
    ]
    seat.assert_nothing_left()


def test_in_real_life_the_cli_is_given_the_owners_login_and_nothing_else_that_pays(tmp_path: Path) -> None:
    seat, cli = fake_seat(tmp_path, "ok")
    del seat.env["ONESEAT_SIMULATOR_URL"]
    others = {
        name: value for row in ROWS for name, value in row.world.env.items() if name not in CLAUDE_NAMES.login
    }
    token = f"sk-ant-oat01-{PLANTED * 12}"
    seat.env |= others | {"CLAUDE_CODE_OAUTH_TOKEN": token, "CLAUDE_CONFIG_DIR": str(tmp_path / "other")}
    done = seat.run("run", "say ok", "--json")
    receipt = done.result["receipt"]
    # The fake's server says nothing of limits, so the last witness is missing.
    assert (done.code, receipt["wallet"], receipt["verdict"]) == (0, "plan", "unverified")
    (start,) = cli.starts()
    assert {
        name for name in start.environment if (entry := CLAUDE_NAMES.find(name)) and entry.pays
    } == CLAUDE_NAMES.login
    off = {"CLAUDE_CODE_USE_BEDROCK": "0", "ANTHROPIC_API_KEY": ""}
    set_ones = {name for name, value in others.items() if off.get(name) != value}
    assert {what for what, _ in sources(done.result)} == {f"kept:{name}" for name in set_ones}
    assert PLANTED not in done.stdout + done.stderr
    assert PLANTED.encode() not in seat.ledger.read_bytes()
