"""What is taken for an API key, and what never is: the login of a subscription."""

from __future__ import annotations

import pytest

from oneseat.contract.keys import ApiKey
from oneseat.contract.providers import KeyProvider
from oneseat.rules.inputs.api_keys import key_error, key_warning, looks_like_key

ANTHROPIC, OPENAI, GOOGLE = "sk-ant-" + "api03-made-up", "sk-" + "proj-made-up", "AIza" + "made-up-key"
SIGNED = "eyJhbGciOiJSUzI1NiJ9." + "eyJhdWQiOiJtYWRlLXVwIn0." + "c2lnbmF0dXJl"
PROVIDERS: tuple[KeyProvider, ...] = ("anthropic", "openai", "gemini", "openai-compatible")


def key(provider: KeyProvider, base_url: str | None = None) -> ApiKey:
    return ApiKey(name="work", provider=provider, base_url=base_url)


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("kind", ["oat01", "ort01", "sid01"])
@pytest.mark.parametrize("base_url", [None, "https://gateway.example"])
def test_the_login_of_a_subscription_is_never_a_key(
    provider: KeyProvider, kind: str, base_url: str | None
) -> None:
    value = f"sk-ant-{kind}-made-up-token"
    error = key_error(key(provider, base_url), value)
    assert error is not None
    assert error.code == "policy.login_as_key"
    assert "made-up" not in error.message


@pytest.mark.parametrize("value", [SIGNED, "ya29.made-up-token", "1//0made-up-token"])
def test_other_vendors_logins_are_no_keys_for_the_vendors(value: str) -> None:
    for provider in ("openai", "gemini", "anthropic"):
        error = key_error(key(provider), value)
        assert error is not None
        assert error.code == "policy.login_as_key"
    # A gateway of the owner's own may use signed tokens as its keys.
    assert key_error(key("openai-compatible", "https://gateway.example"), value) is None


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("", "it has fewer than 8 characters"),
        ("sk-abcd", "it has fewer than 8 characters"),
        ("a" * 4097, "it has more than 4096 characters"),
        ("sk-ant-api03 made-up", "it contains a space, a line break or a character that keys do not have"),
        ("sk-ant-api03\nmade-up", "it contains a space, a line break or a character that keys do not have"),
        (
            "sk-ant-api03-\u2026made-up",
            "it contains a space, a line break or a character that keys do not have",
        ),
        ("sk-ant-api03-\x1b[A", "it contains a space, a line break or a character that keys do not have"),
    ],
)
def test_what_was_not_copied_whole_is_named_without_its_value(value: str, why: str) -> None:
    error = key_error(key("anthropic"), value)
    assert error is not None
    assert error.code == "provider.bad_key"
    assert error.message == (f"Not an API key: `keys.work`\n  from the operating system's keyring; {why}")


def test_keys_of_their_vendors_raise_no_doubt() -> None:
    for provider, value in (("anthropic", ANTHROPIC), ("openai", OPENAI), ("gemini", GOOGLE)):
        assert key_error(key(provider), value) is None  # type: ignore[arg-type]
        assert key_warning(key(provider), value) is None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("provider", "value", "words"),
    [
        ("openai", ANTHROPIC, "it begins like a key of `anthropic`"),
        ("gemini", OPENAI, "it begins like a key of `openai`"),
        ("anthropic", GOOGLE, "it begins like a key of `gemini`"),
        ("anthropic", "made-up-key-0123", "it does not begin like that provider's keys"),
    ],
)
def test_a_key_on_its_way_to_another_vendor_is_doubted(provider: KeyProvider, value: str, words: str) -> None:
    assert key_error(key(provider), value) is None
    assert key_warning(key(provider), value) == f"the key is to be sent to `{provider}`, but {words}"
    assert key_warning(key(provider, "https://gateway.example"), value) is None
    assert key_warning(key("openai-compatible", "https://gateway.example"), value) is None


def test_a_key_in_the_place_of_a_name_is_known_and_a_name_is_none() -> None:
    for value in (ANTHROPIC, OPENAI + "-0123", GOOGLE + "-0123", SIGNED, "ya29." + "made-up-token-01"):
        assert looks_like_key(value)
    for name in ("work", "sk-work", "AIza", "sk-ant-team", "a-name-that-is-quite-long-for-a-name"):
        assert not looks_like_key(name)
