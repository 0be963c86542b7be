"""API keys are read where the settings say, written there, and nowhere else."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend

from oneseat.contract.errors import ErrorInfo, OneseatError
from oneseat.contract.keys import ApiKey
from oneseat.host.keys import keyring as os_keyring
from oneseat.host.keys.keyring import OsKeyring
from oneseat.host.keys.store import KeyStore
from tests import keyrings

KEY = "sk-made-up-" + "0123456789"
Choose = Callable[[KeyringBackend], None]


@pytest.fixture
def choose(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Choose]:
    """Chooses the back end of the keyring library for one test."""
    monkeypatch.setenv("TEST_KEYRING", str(tmp_path / "keyring.json"))
    before = keyring.get_keyring()
    yield keyring.set_keyring
    keyring.set_keyring(before)


class Store:
    """A store of one key, with what it learned and checked."""

    def __init__(self, key: ApiKey, env: dict[str, str] | None = None, service: str = "oneseat") -> None:
        self.learned: list[str] = []
        self.checked: list[str] = []
        self.keys = KeyStore({key.name: key}, env or {}, OsKeyring(service), self._check, self.learned.append)
        self.key = key

    def _check(self, key: ApiKey, value: str) -> None:
        # Whatever an error shows of a value, it must have been learned before.
        assert value in self.learned
        self.checked.append(value)


def openai(**where: object) -> ApiKey:
    return ApiKey(name="work", provider="openai", **where)  # type: ignore[arg-type]


def refusal(call: Callable[[], object]) -> ErrorInfo:
    with pytest.raises(OneseatError) as caught:
        call()
    assert KEY not in caught.value.info.message
    return caught.value.info


# --- The keyring ---


def test_a_key_is_kept_in_the_keyring_read_and_removed(choose: Choose) -> None:
    choose(keyrings.InFile())
    store = Store(openai())
    assert refusal(lambda: store.keys.get("work")).code == "provider.no_key"
    store.keys.put(store.key, KEY)
    assert store.keys.get("work") == KEY
    assert store.learned == store.checked == [KEY, KEY]
    assert store.keys.remove("work")
    assert not store.keys.remove("work")
    assert refusal(lambda: store.keys.get("work")) == ErrorInfo(
        code="provider.no_key",
        message="API key not found: `keys.work`\n  looked in the operating system's keyring",
        hint="Set it: `oneseat key set work`",
    )


def test_two_homes_do_not_share_a_key(choose: Choose) -> None:
    choose(keyrings.InFile())
    one, other = Store(openai()), Store(openai(), service="oneseat:/tmp/home")
    one.keys.put(one.key, KEY)
    other.keys.put(other.key, KEY + "-of-a-test")
    assert one.keys.get("work") == KEY


def test_a_key_without_settings_can_still_be_removed_from_the_keyring(choose: Choose) -> None:
    choose(keyrings.InFile())
    old = Store(openai())
    old.keys.put(old.key, KEY)
    assert KeyStore({}, {}, OsKeyring("oneseat"), old._check, old.learned.append).remove("work")


def test_without_a_keyring_a_name_that_nobody_knows_is_what_is_wrong(choose: Choose) -> None:
    choose(keyrings.Broken())
    assert refusal(lambda: Store(openai()).keys.remove("wrok")).code == "usage.unknown_key"
    assert refusal(lambda: Store(openai()).keys.remove("work")).code == "provider.keyring_unusable"


@pytest.mark.parametrize(
    ("backend", "why"),
    [
        (keyrings.Locked, "it is locked"),
        (keyrings.Broken, "it failed with `RuntimeError`"),
        (keyrings.Plain, "`Plain` would store the key in a readable file"),
    ],
)
def test_a_keyring_that_cannot_be_used_is_named_with_the_ways_round_it(
    backend: type[KeyringBackend], why: str, choose: Choose
) -> None:
    choose(backend())
    store = Store(openai())
    for call in (lambda: store.keys.get("work"), lambda: store.keys.put(store.key, KEY)):
        assert refusal(call) == ErrorInfo(
            code="provider.keyring_unusable",
            message=f"The keyring of this machine cannot be used: `keys.work`\n  {why}; "
            'a key can also be in a variable: `env = "NAME"` in `[keys.work]`',
            hint="Keep the key in a private file: "
            "`oneseat key set work --provider openai --file ~/.oneseat-key-work`",
        )


def test_a_session_without_a_keyring_is_told_so(choose: Choose) -> None:
    from keyring.backends.fail import Keyring

    choose(Keyring())  # type: ignore[no-untyped-call]
    error = refusal(lambda: Store(openai()).keys.get("work"))
    assert error.code == "provider.keyring_unusable"
    assert "this session has no keyring service, as on a server without a desktop" in error.message


def test_a_keyring_that_waits_for_a_password_nobody_sees_is_not_waited_for(
    choose: Choose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    monkeypatch.setenv("TEST_KEYRING", str(pipe))
    monkeypatch.setattr(os_keyring, "_LIMIT_S", 0.05)
    choose(keyrings.Silent())
    error = refusal(lambda: Store(openai()).keys.get("work"))
    with pipe.open("wb"):  # lets the thread end
        pass
    assert error.code == "provider.keyring_unusable"
    assert "it did not respond within 0.05 s" in error.message


# --- A variable ---


def test_a_key_in_a_variable_is_read_and_never_kept() -> None:
    store = Store(openai(env="MY_KEY"), {"MY_KEY": f" {KEY}\r\n"})
    assert store.keys.get("work") == KEY
    for call in (lambda: store.keys.put(store.key, KEY), lambda: store.keys.remove("work")):
        error = refusal(call)
        assert error.code == "usage.key_elsewhere"
        assert error.message.endswith("it is read from the variable `MY_KEY`")


@pytest.mark.parametrize("env", [{}, {"MY_KEY": ""}, {"MY_KEY": " \n"}])
def test_an_empty_variable_is_no_key(env: dict[str, str]) -> None:
    assert refusal(lambda: Store(openai(env="MY_KEY"), env).keys.get("work")) == ErrorInfo(
        code="provider.no_key",
        message="API key not found: `keys.work`\n  looked in the variable `MY_KEY`",
        hint="Set it: `export MY_KEY=...`",
    )


# --- A file ---


def test_a_key_in_a_file_is_written_read_and_removed_for_the_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "key"
    store = Store(openai(file=str(path)))
    assert refusal(lambda: store.keys.get("work")).code == "provider.no_key"
    before = os.umask(0)
    try:
        store.keys.put(store.key, KEY)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert store.keys.get("work") == KEY
    store.keys.put(store.key, "sk-short-one")
    assert path.read_text("utf-8") == "sk-short-one\n"
    assert [entry.name for entry in path.parent.iterdir()] == ["key"]
    assert store.keys.remove("work")
    assert not path.exists()
    assert not store.keys.remove("work")


def test_a_path_may_begin_with_the_home(scratch_environment: Path) -> None:
    store = Store(openai(file="~/key"))
    store.keys.put(store.key, KEY)
    assert (scratch_environment / "key").exists()
    assert store.keys.get("work") == KEY


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o620, 0o666, 0o601])
def test_a_file_that_others_may_open_is_refused(mode: int, tmp_path: Path) -> None:
    path = tmp_path / "a key"
    path.write_text(KEY, "utf-8")
    path.chmod(mode)
    error = refusal(lambda: Store(openai(file=str(path))).keys.get("work"))
    assert error == ErrorInfo(
        code="provider.key_file_open",
        message=f"The key file is not private: `{path}`\n"
        f"  set in `keys.work.file`; its mode is {mode:o}: other users can read it",
        hint=f"Make it private, and replace the key if others use this machine: `chmod 600 '{path}'`",
    )


def test_a_file_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "key"
    path.write_text(KEY, "utf-8")
    path.chmod(0o600)
    owner = path.stat().st_uid
    # Another user's file can be made by the superuser only; being another user is the same for whoever compares.
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    error = refusal(lambda: Store(openai(file=str(path))).keys.get("work"))
    assert error.code == "provider.key_file_open"
    assert "it belongs to another user" in error.message


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n", "it holds more than one key"),
        (b"first\nsecond\n", "it holds more than one key"),
        (b"a" * 5000, "it holds more than one key"),
        (b"\xff\xfe\x00", "it is not text"),
    ],
)
def test_a_file_that_is_no_key_is_neither_used_nor_overwritten(data: bytes, why: str, tmp_path: Path) -> None:
    path = tmp_path / "work"
    path.write_bytes(data)
    path.chmod(0o600)
    store = Store(openai(file=str(path)))
    for call in (
        lambda: store.keys.get("work"),
        lambda: store.keys.put(store.key, KEY),
        lambda: store.keys.remove("work"),
    ):
        error = refusal(call)
        assert error.code == "provider.key_file_unusable"
        assert error.message == f"The key file cannot be used: `{path}`\n  set in `keys.work.file`; {why}"
    assert path.read_bytes() == data


def test_what_is_no_file_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    for path, why in (
        (tmp_path / "pipe", "it is not a file"),
        (tmp_path, "it is not a file"),
        (tmp_path / "pipe" / "below", "it cannot be read: not a directory"),
    ):
        error = refusal(lambda path=path: Store(openai(file=str(path))).keys.get("work"))  # type: ignore[misc]
        assert (error.code, error.message.rpartition("; ")[2]) == ("provider.key_file_unusable", why)


def test_a_folder_that_cannot_be_written_is_named(ordinary_user: Path) -> None:
    ordinary_user.chmod(0o500)
    store = Store(openai(file=str(ordinary_user / "key")))
    error = refusal(lambda: store.keys.put(store.key, KEY))
    assert error.message.endswith("it cannot be written: permission denied")


# --- Which keys ---


def test_a_source_knows_its_own_keys_only() -> None:
    error = refusal(lambda: Store(openai(env="A"), {"A": KEY}).keys.get("other"))
    assert (error.code, error.hint) == ("usage.unknown_key", "List your keys: `oneseat key list`")


def test_a_server_that_charges_nothing_needs_no_key_unless_its_place_is_named() -> None:
    free = ApiKey(name="work", provider="openai-compatible", base_url="http://127.0.0.1:1", charges=False)
    assert Store(free).keys.get("work") == ""
    assert refusal(lambda: Store(free).keys.put(free, KEY)).message.endswith(
        "none is needed: it has `charges = false`"
    )
    guarded = ApiKey(
        name="work", provider="openai-compatible", base_url="http://127.0.0.1:1", charges=False, env="A"
    )
    assert Store(guarded, {"A": KEY}).keys.get("work") == KEY


def test_a_refused_file_keeps_its_mode_and_its_content(tmp_path: Path) -> None:
    path = tmp_path / ".python-version"
    store = Store(openai(file=str(path)))
    for mode, code in ((0o644, "provider.key_file_open"), (0o600, "provider.key_file_unusable")):
        path.write_text("3.11.7\n", "utf-8")
        path.chmod(mode)
        assert refusal(lambda: store.keys.put(store.key, KEY)).code == code
        assert refusal(lambda: store.keys.remove("work")).code == code
        assert (path.read_text("utf-8"), stat.S_IMODE(path.stat().st_mode)) == ("3.11.7\n", mode)


def test_a_link_is_neither_read_nor_written_through(tmp_path: Path) -> None:
    target, path = tmp_path / "target", tmp_path / "key"
    target.write_text(KEY, "utf-8")
    target.chmod(0o600)
    path.symlink_to(target)
    store = Store(openai(file=str(path)))
    for call in (lambda: store.keys.get("work"), lambda: store.keys.put(store.key, "sk-" + "b" * 40)):
        assert refusal(call).code == "provider.key_file_unusable"
    assert target.read_text("utf-8") == KEY


def test_who_had_the_old_file_open_does_not_get_the_new_key(tmp_path: Path) -> None:
    path = tmp_path / "key"
    store = Store(openai(file=str(path)))
    store.keys.put(store.key, KEY)
    os.link(path, tmp_path / "other name")
    with path.open() as held:
        store.keys.put(store.key, "sk-" + "b" * 40)
        assert held.read() == KEY + "\n"
    assert (tmp_path / "other name").read_text("utf-8") == KEY + "\n"
    assert store.keys.get("work") == "sk-" + "b" * 40
