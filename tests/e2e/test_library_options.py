"""The options of the library: written out everywhere, checked before anything is done, and named in hints as Python has them."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

import oneseat
from oneseat.app.options import DEFAULTS, in_python_words
from oneseat.contract.errors import ErrorInfo

from .driving import Seat, fake_seat, live_in
from .projects import with_project

ADDED: dict[Callable[..., Any], set[str]] = {
    oneseat.run: {"prompt", "ask", "check"},
    oneseat.make_request: {"prompt"},
    oneseat.App.run: {"self", "prompt", "ask", "check"},
    oneseat.App.stream: {"self", "prompt", "ask", "run_id"},
}


@pytest.fixture
def seat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Seat:
    seat, _ = fake_seat(tmp_path, "ok")
    live_in(seat, monkeypatch)
    return seat


@pytest.mark.parametrize("way", ADDED, ids=lambda way: way.__qualname__)
def test_every_way_in_has_every_option_as_a_keyword(way: Callable[..., Any]) -> None:
    parameters = inspect.signature(way).parameters
    options = {name: each for name, each in parameters.items() if name not in ADDED[way]}
    assert {name: each.default for name, each in options.items()} == dict(DEFAULTS)
    assert {each.kind for each in options.values()} == {inspect.Parameter.KEYWORD_ONLY}
    assert {name: each.annotation for name, each in options.items()} == {
        name: inspect.signature(oneseat.run).parameters[name].annotation for name in DEFAULTS
    }


def test_every_option_is_described() -> None:
    described = oneseat.run.__doc__ or ""
    guide = (Path(__file__).resolve().parents[2] / "docs" / "guides" / "from-python.md").read_text("utf-8")
    assert [name for name in DEFAULTS if f"``{name}``" not in described] == []
    assert [name for name in DEFAULTS if f"`{name}`" not in guide] == []


class Till:
    def price(self, article: str) -> int:
        """The price of an article."""
        return len(article)


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"timeout_s": -1}, "usage.arguments"),
    ({"timeout_s": 0}, "usage.arguments"),
    ({"timeout_s": float("nan")}, "usage.arguments"),
    ({"timeout_s": float("inf")}, "usage.arguments"),
    ({"timeout_s": "5"}, "usage.arguments"),
    ({"timeout_s": True}, "usage.arguments"),
    ({"max_turns": 1.5}, "usage.bad_budget"),
    ({"max_turns": 0}, "usage.bad_budget"),
    ({"max_turns": 10**23}, "usage.bad_budget"),
    ({"max_turns": 10**5000}, "usage.bad_budget"),
    ({"max_budget_usd": -0.5}, "usage.bad_budget"),
    ({"max_budget_usd": float("nan")}, "usage.bad_budget"),
    ({"files": "a.txt"}, "usage.arguments"),
    ({"files": Path("a.txt")}, "usage.arguments"),
    ({"files": [1]}, "usage.arguments"),
    ({"files": None}, "usage.arguments"),
    ({"files": ["no/such/file.txt"]}, "usage.unreadable_file"),
    ({"files": ["a\0b"]}, "usage.unreadable_file"),
    ({"attachments": ["a.txt"]}, "usage.arguments"),
    ({"functions": Till().price}, "usage.bad_function"),
    ({"functions": [Till().price]}, "usage.bad_function"),
    ({"functions": [3]}, "usage.bad_function"),
    ({"tools": 3}, "usage.arguments"),
    ({"tools": ["Read", 3]}, "usage.arguments"),
    ({"tools": oneseat.Tools(mode="never")}, "usage.arguments"),  # type: ignore[arg-type]
    ({"permission_mode": "never"}, "usage.unknown_permission_mode"),
    ({"permission_mode": 3}, "usage.arguments"),
    ({"add_dirs": "/tmp"}, "usage.arguments"),
    ({"add_dirs": ["no/such/folder"]}, "usage.bad_directory"),
    ({"mcp_servers": 3}, "usage.arguments"),
    ({"cwd": 3}, "usage.arguments"),
    ({"cwd": "a\0b"}, "usage.bad_directory"),
    ({"project": 3}, "usage.arguments"),
    ({"session": "a/b"}, "usage.arguments"),
    ({"session": ""}, "usage.arguments"),
    ({"resume": 3}, "usage.arguments"),
    ({"new_session": True}, "usage.arguments"),
    ({"wait_s": 5}, "usage.arguments"),
    ({"session": "a", "wait_s": -1}, "usage.arguments"),
    ({"session": "a", "resume": True}, "usage.arguments"),
    ({"session": "a", "project": "shop"}, "usage.arguments"),
    ({"project": "shop", "cwd": "/tmp"}, "usage.arguments"),
    ({"over_limit": "yes"}, "usage.arguments"),
    ({"role": ""}, "usage.arguments"),
    ({"role": "bulk", "model": "opus"}, "usage.arguments"),
    ({"provider": "openai", "key": "work"}, "usage.arguments"),
    ({"purpose": "customers"}, "usage.arguments"),
    ({"purpose": oneseat.Purpose(reader="costumers")}, "usage.arguments"),  # type: ignore[arg-type]
    ({"client": 3}, "usage.arguments"),
    ({"system": 3}, "usage.arguments"),
    ({"model": 3}, "usage.unknown_model"),
    ({"schema": 3}, "usage.bad_schema"),
]


@pytest.mark.parametrize(("options", "code"), WRONG, ids=[next(iter(options)) for options, _ in WRONG])
def test_a_value_that_an_option_does_not_take_is_refused(
    options: dict[str, Any], code: str, seat: Seat
) -> None:
    with pytest.raises(oneseat.UsageError) as refused:
        oneseat.run("hello", **options)
    assert refused.value.info.code == code
    assert "--" not in (refused.value.info.hint or "")
    assert not seat.home.exists()


@pytest.mark.parametrize("prompt", [None, b"hello", 3, ["hello"], ""])
def test_what_is_no_prompt_is_refused(prompt: Any, seat: Seat) -> None:
    with pytest.raises(oneseat.UsageError) as refused:
        oneseat.run(prompt)
    assert refused.value.info.code in {"usage.no_prompt", "usage.empty_prompt"}
    assert "oneseat.run(" in str(refused.value.info.hint)


@pytest.mark.parametrize(
    "function",
    [Till().price, functools.partial(Till().price, "tea"), len, 3],
    ids=["bound", "partial", "built in", "none"],
)
def test_what_cannot_be_a_tool_is_refused(function: Any) -> None:
    with pytest.raises(oneseat.UsageError) as refused:
        oneseat.tool(function)
    assert refused.value.info.code == "usage.bad_function"


async def test_a_request_made_by_hand_is_checked_too(seat: Seat) -> None:
    def made(**fields: Any) -> oneseat.Request:
        return oneseat.Request(**{"prompt": "hello", "cwd": ".", **fields})

    async with oneseat.connect() as app:
        assert (await app.run(made())).status == "completed"
        for fields in ({"cwd": "no/such/folder"}, {"timeout_s": "5"}, {"prompt": None}, {"schema": 3}):
            with pytest.raises(oneseat.UsageError):
                await app.run(made(**fields))
    assert [run["cwd"] for run in seat.runs()] == [str(seat.cwd)]


async def test_a_misused_app_says_so(seat: Seat) -> None:
    request = oneseat.make_request("hello")
    async with oneseat.connect() as app:
        stream = app.stream(request)
        wrong: list[Callable[[], Any]] = [
            stream.__aiter__,
            lambda: app.stream(request, model="opus"),
            lambda: app.stream(msgspec.structs.replace(request, timeout_s=-1)),
            lambda: app.stream("hello", ask=3),  # type: ignore[arg-type]
            lambda: oneseat.in_project("hello", "shop"),  # type: ignore[arg-type]
            lambda: oneseat.read_attachment(None),  # type: ignore[arg-type]
        ]
        for misuse in wrong:
            with pytest.raises(oneseat.UsageError):
                misuse()
        async with stream:
            with pytest.raises(oneseat.UsageError):
                await stream.__aenter__()
        with pytest.raises(oneseat.UsageError):
            await app.route(oneseat.make_request("hello", role="nobody"))
    with pytest.raises(oneseat.UsageError):
        await app.run("hello", check=True)
    unfit: list[dict[str, Any]] = [{"warm": -1}, {"warm": "1"}, {"env": 3}, {"observers": [3]}]
    for options in unfit:
        with pytest.raises(oneseat.UsageError):
            await oneseat.connect(**options).__aenter__()


async def test_a_mistake_is_a_usage_error_and_a_run_without_an_answer_is_not(seat: Seat) -> None:
    async with oneseat.connect() as app:
        unknown = await app.run("hello", role="nobody")
        with pytest.raises(oneseat.UsageError) as mistake:
            await app.run("hello", role="nobody", check=True)
        with pytest.raises(oneseat.RunFailed) as refused:
            await app.run("hello", purpose=oneseat.Purpose(reader="customers"), check=True)
    assert unknown.error is not None
    assert (unknown.error.code, mistake.value.info) == ("usage.unknown_role", unknown.error)
    assert (refused.value.info.code, refused.value.result.status) == ("policy.red", "refused")
    kinds = (oneseat.UsageError, oneseat.RunFailed, oneseat.InternalError)
    assert all(kind.__bases__ == (oneseat.OneseatError,) for kind in kinds)


async def test_a_text_has_the_options_that_a_request_has(seat: Seat) -> None:
    with_project(seat, tools="read")
    (seat.cwd / "notes.txt").write_text("the milk")
    options: dict[str, Any] = {
        "files": ["notes.txt"],
        "tools": ["Read", "Bash"],
        "permission_mode": "plan",
        "add_dirs": [seat.root],
        "model": "haiku",
    }
    request = oneseat.make_request("hello", **options)
    assert (request.tools.names, request.tools.mode) == (("Read", "Bash"), "plan")
    assert (request.tools.directories, request.attachments[0].name) == ((str(seat.root),), "notes.txt")
    opened = oneseat.make_request("hello", tools=oneseat.Tools(names=("Read",)), add_dirs=[seat.root])
    assert (opened.tools.names, opened.tools.directories) == (("Read",), (str(seat.root),))
    async with oneseat.connect() as app:
        result = await app.run("hello", system="Be brief.", timeout_s=60)
    assert (result.status, result.text) == ("completed", "ok from the fake")
    # A project's tools are those of runs that name none.
    placed = oneseat.make_request("hello", project="shop")
    bare = oneseat.make_request("hello", project="shop", tools="none")
    assert (placed.tools.names, bare.tools.names) == (("Glob", "Grep", "Read"), ())
    assert placed.project is not None


@pytest.mark.parametrize(
    ("hint", "in_python"),
    [
        ("Allow more time: `oneseat run --timeout SECONDS ...`", "Allow more time: `oneseat.run(..., timeout_s=SECONDS)`"),
        ("Set one: `oneseat run --max-budget-usd 0.50 ...`", "Set one: `oneseat.run(..., max_budget_usd=0.50)`"),
        ("`oneseat run --project shop --wait ...`", '`oneseat.run(..., project="shop", wait_s=...)`'),
        ("`oneseat run --file a.txt --over-limit ...`", '`oneseat.run(..., files=["a.txt"], over_limit=True)`'),
        ('Give one: `oneseat run "say hello"`', 'Give one: `oneseat.run("say hello")`'),
        ("`--tools read` or `--permission-mode plan`", '`tools="read"` or `permission_mode="plan"`'),
        ("Check the names: `oneseat run --help`", "Check the names: `help(oneseat.run)`"),
        ("See it: `oneseat show a1 --events`", "See it: `oneseat show a1 --events`"),
        ("An `oneseat run --model 'x` that is not closed", "An `oneseat run --model 'x` that is not closed"),
        (None, None),
    ],
)  # fmt: skip
def test_hints_name_what_a_program_can_write(hint: str | None, in_python: str | None) -> None:
    error = ErrorInfo(code="usage.arguments", message="Wrong", hint=hint)
    assert in_python_words(error).hint == in_python


async def test_errors_of_runs_are_in_the_words_of_their_reader(seat: Seat) -> None:
    async with oneseat.connect() as app:
        result = await app.run("hello", provider="openia")
    printed = seat.run("run", "--provider", "openia", "--json", "hello").result
    assert result.error is not None
    assert "oneseat.run(..., provider=" in str(result.error.hint)
    assert "oneseat run --provider" in printed["error"]["hint"]
