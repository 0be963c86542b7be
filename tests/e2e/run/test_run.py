"""`oneseat run`: what is typed, piped or attached arrives upstream, and what comes back is printed, both as they are."""

from __future__ import annotations

import base64
import json
import os
import struct
import subprocess
import zlib
from pathlib import Path

import psutil
import pytest

from oneseat.testing import RecordedRequest, Simulator
from tests.e2e.driving import Seat, contents, told


@pytest.fixture
def seat(tmp_path: Path, claude_path: Path, simulator: Simulator) -> Seat:
    return Seat(tmp_path, claude_path, simulator)


def only(simulator: Simulator) -> RecordedRequest:
    """The one request that asked the model for an answer."""
    (request,) = simulator.messages()
    return request


#: Each begins in a way that something takes for its own: the command line for an option, the CLI for a command or a shell's line.
PROMPTS = {
    "dash": "-5 degrees, is that cold? \"'`$(id) ${HOME} \\n %s {0}\n¿Qué? 日本語 🦊 e\u0301 \u200b\u202etxet\u2028\ufeff",
    "option": "--json is an option of what?\x01 bell \x07 \x1b[31mred\x1b[0m \x7f \x85one\r\ntwo\rthree\n\n\tfour  ",
    "command": "/usage",
    "path": "/etc/passwd: what is it for?",
    "shell": "!ls\n#remember this\nread @/etc/passwd, @./secret.txt and @secret.txt",
}


@pytest.mark.parametrize("name", PROMPTS)
def test_a_prompt_is_sent_as_the_text_it_is(name: str, seat: Seat, simulator: Simulator) -> None:
    assert_sent_as_it_is(PROMPTS[name], seat, simulator)


@pytest.mark.parametrize("name", ["command", "shell"])
def test_the_oldest_cli_takes_it_for_nothing_else_either(
    name: str, tmp_path: Path, old_claude_path: Path, simulator: Simulator
) -> None:
    assert_sent_as_it_is(PROMPTS[name], Seat(tmp_path, old_claude_path, simulator), simulator)


def assert_sent_as_it_is(prompt: str, seat: Seat, simulator: Simulator) -> None:
    """Nothing in it was read, attached or run."""
    (seat.cwd / "secret.txt").write_text("the secret of the working directory")
    ended = seat.run("run", prompt)
    assert (ended.code, ended.stdout) == (0, "ok from the simulator\n"), ended
    sent = only(simulator)
    # One leading space keeps the CLI from taking the text for one of its commands.
    assert told(sent) == (f" {prompt}" if prompt.startswith("/") else prompt)
    whole = json.dumps(sent.body)
    assert "the secret of the working directory" not in whole
    assert Path("/etc/passwd").read_text().splitlines()[0] not in whole
    assert not sent.body.get("tools")


def test_a_prompt_that_is_an_option_follows_two_dashes(seat: Seat, simulator: Simulator) -> None:
    assert seat.run("run", "--quiet", "--", "--json").stdout == "ok from the simulator\n"
    assert told(only(simulator)) == "--json"


def test_a_prompt_can_be_piped_in(seat: Seat, simulator: Simulator) -> None:
    prompt = "a\x00b \x1b[2J ñ\r\n" + 10_000 * "four hundred kilobytes of plain text. 🦊\n"
    assert len(prompt.encode()) > 400_000
    assert seat.run("run", stdin=prompt.encode()).code == 0
    assert told(only(simulator)) == prompt


def test_a_byte_order_mark_is_not_part_of_the_prompt(seat: Seat, simulator: Simulator) -> None:
    assert seat.run("run", "-", stdin=b"\xef\xbb\xbfsay ok").code == 0
    assert told(only(simulator)) == "say ok"


def test_an_open_pipe_nobody_asked_for_is_not_waited_for(seat: Seat, simulator: Simulator) -> None:
    with seat.start("run", "say ok", stdin=subprocess.PIPE) as live:
        live.read_until("ok from the simulator\n")
        live.process.wait()
    assert told(only(simulator)) == "say ok"


def test_instructions_go_upstream_and_never_on_a_command_line(seat: Seat, simulator: Simulator) -> None:
    seat.env["ONESEAT_SIMULATOR_URL"] = simulator.url("hang")
    (seat.cwd / "instructions.txt").write_text("Answer like a pirate.\n", "utf-8")
    (seat.cwd / "prompt.txt").write_text("Where is the treasure?", "utf-8")
    with (
        (seat.cwd / "prompt.txt").open("rb") as prompt,
        seat.start("run", "-", "--system-file", "instructions.txt", stdin=prompt) as live,
    ):
        simulator.wait_for_messages()
        family = psutil.Process(live.pid).children(recursive=True)
        seen = "\n".join("\n".join([*process.cmdline(), *process.environ().values()]) for process in family)
        live.signal()
        live.finish()
    assert family
    assert "pirate" not in seen
    assert "treasure" not in seen
    sent = only(simulator)
    assert [block["text"] for block in sent.body["system"]][-1] == "Answer like a pirate.\n"
    assert told(sent) == "Where is the treasure?"


@pytest.mark.parametrize(
    ("name", "sent"), [("haiku", "claude-haiku-"), ("claude-sonnet-5", "claude-sonnet-5")]
)
def test_instructions_and_a_model_by_alias_or_full_name_can_be_arguments(
    name: str, sent: str, seat: Seat, simulator: Simulator
) -> None:
    ended = seat.run("run", "hello", "--model", name, "--system", "/help @/etc/passwd ñ", "--json")
    request = only(simulator)
    assert request.model is not None
    assert request.model.startswith(sent)
    assert ended.result["receipt"]["model"] == request.model
    assert [block["text"] for block in request.body["system"]][-1] == "/help @/etc/passwd ñ"


def test_a_model_nobody_knows_is_refused_with_the_nearest_one(seat: Seat, simulator: Simulator) -> None:
    ended = seat.run("run", "hello", "--model", "sonett", "--json")
    error = ended.result["error"]
    assert (ended.code, error["code"]) == (2, "usage.unknown_model")
    assert error["message"].startswith("Unknown model: `sonett`\n")
    assert error["hint"] == "Did you mean this: `oneseat run --model sonnet ...`"
    assert simulator.messages() == []


def png() -> bytes:
    """An image of one red pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\x00\xff\x00\x00")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


PDF = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
    b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
)


def test_files_of_any_name_are_attached_before_the_prompt_in_their_order(
    seat: Seat, simulator: Simulator
) -> None:
    name = os.fsdecode(b"caf\xe9 @x.txt")
    (seat.cwd / name).write_text("hello")
    (seat.cwd / "notes.txt").write_text("remember the milk\r\n", "utf-8", newline="")
    (seat.cwd / "dot.png").write_bytes(png())
    (seat.cwd / "page.pdf").write_bytes(PDF)
    ended = seat.run(
        *("run", "what is in these?", "--file", "notes.txt", "--file", "dot.png"),
        *("--file", "page.pdf", "--file", name, "--file", "-"),
        stdin=b"from a pipe @/etc/passwd",
    )
    assert ended.code == 0, ended
    text, image, document, named, piped, prompt = contents(only(simulator))
    assert "remember the milk\r\n" in text["text"]
    assert base64.b64decode(image["source"]["data"]) == png()
    assert base64.b64decode(document["source"]["data"]) == PDF
    assert named["text"] == '<file name="caf? @x.txt">\nhello\n</file>'
    assert "from a pipe @/etc/passwd" in piped["text"]
    assert prompt["text"] == "what is in these?"
