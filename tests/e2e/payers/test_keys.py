"""``oneseat key``: a key goes in without being seen, is used from where it is, and comes out nowhere."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from oneseat.testing import Behaviour
from tests.e2e.driving import Seat, fake_seat
from tests.e2e.terminal import Terminal

ROOT = Path(__file__).resolve().parents[3]
KEY = "sk-ant-" + "api03-made-up-0123456789"


@pytest.fixture
def seat(tmp_path: Path) -> Seat:
    """A seat with a keyring."""
    seat, _ = fake_seat(tmp_path, Behaviour())
    choose(seat, "InFile")
    seat.env["TEST_KEYRING"] = str(tmp_path / "keyring.json")
    return seat


def choose(seat: Seat, backend: str) -> None:
    seat.env |= {"PYTHON_KEYRING_BACKEND": f"tests.keyrings.{backend}", "PYTHONPATH": str(ROOT)}


def settings(seat: Seat) -> Path:
    return seat.home / "config" / "oneseat.toml"


def assert_nowhere(seat: Seat) -> None:
    """No file of oneseat's holds the key, whole or in part."""
    for path in (*seat.home.rglob("*"), *seat.temporary.rglob("*"), *seat.cwd.rglob("*")):
        assert path.is_dir() or b"made-up" not in path.read_bytes(), path


# --- Setting ---


def test_a_key_is_typed_on_a_terminal_that_does_not_show_it(seat: Seat) -> None:
    with Terminal(seat, "key", "set", "work", "--provider", "anthropic") as terminal:
        terminal.answer("API key for work (not shown): ", f"  {KEY} ")
        ended = terminal.finish()
    assert ended.code == 0
    assert "made-up" not in ended.stdout
    assert ended.stdout.endswith(
        f"kept in the operating system's keyring: work\nwritten to {settings(seat)}: [keys.work]\n"
    )
    assert settings(seat).read_text("utf-8") == '[keys.work]\nprovider = "anthropic"\n'
    assert stat.S_IMODE(settings(seat).stat().st_mode) == 0o600
    assert f'"oneseat:{seat.home} work": "{KEY}"' in Path(seat.env["TEST_KEYRING"]).read_text("utf-8")
    assert_nowhere(seat)


def test_ctrl_c_at_the_question_changes_nothing(seat: Seat) -> None:
    with Terminal(seat, "key", "set", "work", "--provider", "anthropic") as terminal:
        terminal.interrupt("API key for work (not shown): ")
        ended = terminal.finish()
    assert ended.code == 130
    assert not settings(seat).exists()
    assert not Path(seat.env["TEST_KEYRING"]).exists()


def test_a_key_is_piped_and_its_line_end_is_no_part_of_it(seat: Seat) -> None:
    ended = seat.run("key", "set", "work", "--provider", "anthropic", stdin=f"\ufeff{KEY}\r\n".encode())
    assert (ended.code, ended.stderr) == (0, "")
    assert f'work": "{KEY}"' in Path(seat.env["TEST_KEYRING"]).read_text("utf-8")
    # Once more: another value, and the settings need no change.
    again = seat.run("key", "set", "work", stdin=f"{KEY}-new".encode())
    assert again.stdout == "kept in the operating system's keyring: work\n"


def test_the_settings_keep_every_line_of_their_owner(seat: Seat) -> None:
    settings(seat).parent.mkdir(parents=True)
    mine = "# mine\r\n[run]\r\ntimeout_s = 60 # a minute"
    settings(seat).write_bytes(mine.encode())
    settings(seat).chmod(0o640)
    assert seat.run("key", "set", "work", "--provider", "anthropic", stdin=KEY.encode()).code == 0
    written = settings(seat).read_bytes().decode()
    assert written == f'{mine}\r\n\r\n[keys.work]\r\nprovider = "anthropic"\r\n'
    assert stat.S_IMODE(settings(seat).stat().st_mode) == 0o640
    # A place of its own for a key that had none: right under the header.
    file = seat.root / "private" / "work"
    assert seat.run("key", "set", "work", "--file", str(file), stdin=KEY.encode()).code == 0
    assert f'[keys.work]\r\nfile = "{file}"\r\nprovider' in settings(seat).read_bytes().decode()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.read_text("utf-8") == f"{KEY}\n"


def test_settings_that_are_kept_elsewhere_stay_there(seat: Seat) -> None:
    elsewhere = seat.root / "dotfiles" / "oneseat.toml"
    elsewhere.parent.mkdir()
    elsewhere.write_text("# mine\n", "utf-8")
    settings(seat).parent.mkdir(parents=True)
    settings(seat).symlink_to(elsewhere)
    assert seat.run("key", "set", "work", "--provider", "anthropic", stdin=KEY.encode()).code == 0
    assert settings(seat).is_symlink()
    assert elsewhere.read_text("utf-8").startswith("# mine\n")
    assert "[keys.work]" in elsewhere.read_text("utf-8")


@pytest.mark.parametrize(
    ("arguments", "stdin", "code", "error", "words"),
    [
        (["work"], KEY, 2, "usage.arguments", "No such API key: `work`"),
        (
            ["work", KEY, "--provider", "anthropic"],
            "",
            2,
            "usage.arguments",
            "A key is never an argument: other users see it",
        ),
        (
            [KEY, "--provider", "anthropic"],
            "",
            2,
            "usage.arguments",
            "`oneseat key set NAME`",
        ),
        (
            ["a b", "--provider", "openai"],
            KEY,
            2,
            "usage.arguments",
            "Not a valid name for an API key: `a b`",
        ),
        (
            ["work", "--provider", "openai-compatible"],
            KEY,
            2,
            "usage.arguments",
            "an `openai-compatible` provider has no address of its own",
        ),
        (
            ["work", "--provider", "openai", "--base-url", "https://me:made-up@x"],
            KEY,
            2,
            "usage.arguments",
            "Invalid value for `base_url`",
        ),
        (
            ["work", "--provider", "openai", "--file", "key"],
            KEY,
            2,
            "usage.arguments",
            "Invalid value for `file`: `key`",
        ),
        (
            ["work", "--provider", "openai", "--env", "A", "--file", "/k"],
            KEY,
            2,
            "usage.arguments",
            "it has both `env` and `file`",
        ),
        (
            ["work", "--provider", "anthropic"],
            "sk-ant-oat01-made-up-token",
            3,
            "policy.login_as_key",
            "A subscription login is not an API key: `keys.work`",
        ),
        (
            ["work", "--provider", "anthropic"],
            "sk-ant-api03-made-up\nsk-ant-api03-made-up",
            7,
            "provider.bad_key",
            "it contains a space, a line break",
        ),
        (["work", "--provider", "anthropic"], "sk", 7, "provider.bad_key", "it has fewer than 8 characters"),
        (
            ["work", "--provider", "anthropic"],
            " \n",
            2,
            "usage.arguments",
            "No key on standard input: `work`",
        ),
        (
            ["work", "--provider", "anthropic"],
            "made-up" * 1000,
            7,
            "provider.bad_key",
            "it has more than 4096 characters",
        ),
    ],
)
def test_what_is_wrong_is_said_and_changes_nothing(
    arguments: list[str], stdin: str, code: int, error: str, words: str, seat: Seat
) -> None:
    ended = seat.run("key", "set", *arguments, stdin=stdin.encode())
    assert ended.code == code
    assert f"code {error}\n" in ended.stderr
    assert words in ended.stderr
    assert "made-up" not in ended.stderr + ended.stdout
    assert not settings(seat).exists()
    assert not Path(seat.env["TEST_KEYRING"]).exists()


def test_bytes_that_are_no_text_are_refused(seat: Seat) -> None:
    ended = seat.run("key", "set", "work", "--provider", "anthropic", stdin=b"\xff\xfe")
    assert (ended.code, "code usage.invalid_utf8\n" in ended.stderr) == (2, True)


def test_a_key_on_its_way_to_another_vendor_is_warned_of(seat: Seat) -> None:
    ended = seat.run("key", "set", "work", "--provider", "openai", stdin=KEY.encode())
    assert ended.code == 0
    assert (
        ended.stderr
        == "warning: the key is to be sent to `openai`, but it begins like a key of `anthropic`\n"
    )


def test_a_key_that_the_settings_describe_otherwise_is_left_to_its_owner(seat: Seat) -> None:
    assert seat.run("key", "set", "work", "--provider", "anthropic", "--env", "MY_KEY").code == 0
    before = settings(seat).read_bytes()
    for other in (["--provider", "openai"], ["--env", "OTHER"], ["--file", "/k"]):
        ended = seat.run("key", "set", "work", *other, stdin=KEY.encode())
        assert ended.code == 2
        assert "is already in your settings with different values" in ended.stderr
    assert settings(seat).read_bytes() == before


def test_settings_that_cannot_be_added_to_are_named_before_anything_is_kept(seat: Seat) -> None:
    settings(seat).parent.mkdir(parents=True)
    settings(seat).write_text('keys = {other = {provider = "openai"}}\n', "utf-8")
    ended = seat.run("key", "set", "work", "--provider", "openai", stdin=KEY.encode())
    assert ended.code == 2
    assert "Cannot add an API key to this settings file" in ended.stderr
    assert not Path(seat.env["TEST_KEYRING"]).exists()


# --- Without a keyring ---


def test_a_machine_without_a_keyring_is_told_the_other_places(seat: Seat) -> None:
    del seat.env["PYTHON_KEYRING_BACKEND"]
    ended = seat.run("key", "set", "work", "--provider", "anthropic", stdin=KEY.encode())
    assert ended.code == 7
    assert ended.stderr == (
        "error: The keyring of this machine cannot be used: `keys.work`\n"
        "  this session has no keyring service, as on a server without a desktop; "
        'a key can also be in a variable: `env = "NAME"` in `[keys.work]`\n'
        "  code provider.keyring_unusable\n\n"
        "hint: Keep the key in a private file: "
        "`oneseat key set work --provider anthropic --file ~/.oneseat-key-work`\n"
    )
    assert not settings(seat).exists()


def test_without_the_library_its_installation_is_named(seat: Seat, tmp_path: Path) -> None:
    stub = tmp_path / "stub"
    stub.mkdir()
    (stub / "keyring.py").write_text("raise ModuleNotFoundError('none', name='keyring')\n", "utf-8")
    seat.env["PYTHONPATH"] = str(stub)
    ended = seat.run("key", "set", "work", "--provider", "anthropic", stdin=KEY.encode())
    assert ended.code == 7
    assert "code provider.keyring_missing\n" in ended.stderr
    assert "hint: Install it: `pip install 'oneseat[keys]'`\n" in ended.stderr


def test_a_keyring_that_repeats_what_it_was_given_is_not_repeated(seat: Seat) -> None:
    for backend in ("Locked", "Broken"):
        choose(seat, backend)
        ended = seat.run("key", "set", "work", "--provider", "anthropic", stdin=KEY.encode())
        assert (ended.code, "made-up" in ended.stderr) == (7, False)


# --- Listing and removing ---


def test_keys_are_listed_with_their_places_and_never_their_values(seat: Seat) -> None:
    file = seat.root / "gem"
    seat.env["MY_KEY"] = KEY
    seat.run("key", "set", "ring", "--provider", "anthropic", stdin=KEY.encode())
    seat.run("key", "set", "var", "--provider", "anthropic", "--env", "MY_KEY")
    seat.run("key", "set", "gem", "--provider", "gemini", "--file", str(file), stdin=b"AIza-made-up-key")
    with settings(seat).open("a", encoding="utf-8") as more:
        more.write('[keys.gone]\nprovider = "openai"\nenv = "NOT_SET"\n[keys.local]\n')
        more.write(
            'provider = "openai-compatible"\nbase_url = "http://127.0.0.1:11434/v1"\ncharges = false\n'
        )
    file.chmod(0o644)
    ended = seat.run("key", "list")
    assert (ended.code, ended.stderr) == (0, "")
    assert [line.split("  ")[-1].strip() for line in ended.stdout.splitlines()] == [
        "there",
        "yes",
        "yes",
        "unknown: its mode is 644: other users can read it",
        "no",
        "-",
    ]
    listed = seat.run("key", "list", "--json")
    rows = {row["name"]: row for row in listed.result["keys"]}
    assert {name: row["present"] for name, row in rows.items()} == {
        "ring": True,
        "var": True,
        "gem": None,
        "gone": False,
        "local": None,
    }
    assert rows["gem"]["problem"]["code"] == "provider.key_file_open"
    assert (rows["var"]["place"], rows["local"]["needed"]) == ("the variable `MY_KEY`", False)
    assert "made-up" not in ended.stdout + listed.stdout


def test_a_keyring_out_of_reach_is_asked_once_and_leaves_the_others_listed(seat: Seat) -> None:
    for name in ("one", "two"):
        seat.run("key", "set", name, "--provider", "anthropic", stdin=KEY.encode())
    choose(seat, "Locked")
    rows = seat.run("key", "list", "--json").result["keys"]
    assert [(row["present"], row["problem"]["code"]) for row in rows] == [
        (None, "provider.keyring_unusable")
    ] * 2


def test_without_keys_the_first_step_is_named(seat: Seat) -> None:
    ended = seat.run("key", "list")
    assert (ended.code, ended.stdout) == (0, "")
    assert "oneseat key set NAME --provider anthropic" in ended.stderr


def test_a_key_is_removed_from_its_place(seat: Seat) -> None:
    file = seat.root / "gem"
    seat.run("key", "set", "ring", "--provider", "anthropic", stdin=KEY.encode())
    seat.run("key", "set", "gem", "--provider", "gemini", "--file", str(file), stdin=b"AIza-made-up-key")
    ended = seat.run("key", "remove", "ring")
    assert ended.stdout == "removed: ring\nyour settings still name it: [keys.ring]\n"
    assert Path(seat.env["TEST_KEYRING"]).read_text("utf-8") == "{}"
    assert seat.run("key", "remove", "ring").stdout.startswith("nothing to remove: ring\n")
    assert seat.run("key", "remove", "gem").code == 0
    assert not file.exists()
    assert [row["present"] for row in seat.run("key", "list", "--json").result["keys"]] == [False, False]


def test_a_key_whose_table_went_first_can_still_be_removed(seat: Seat) -> None:
    seat.run("key", "set", "ring", "--provider", "anthropic", stdin=KEY.encode())
    settings(seat).unlink()
    assert seat.run("key", "remove", "ring").stdout == "removed: ring\n"
    assert Path(seat.env["TEST_KEYRING"]).read_text("utf-8") == "{}"


def test_a_key_in_a_variable_is_not_oneseats_to_remove(seat: Seat) -> None:
    seat.run("key", "set", "var", "--provider", "anthropic", "--env", "MY_KEY")
    ended = seat.run("key", "remove", "var")
    assert (ended.code, "code usage.key_elsewhere\n" in ended.stderr) == (2, True)
