"""Servers that cannot be trusted, and answers that cannot be an API's: named for what they are, and asked once."""

from __future__ import annotations

import datetime
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from oneseat.providers.api import transport
from oneseat.providers.api.account import ApiAccount
from oneseat.providers.api.catalogue import APIS
from oneseat.providers.api.provider import ApiProvider
from oneseat.providers.claude_cli import failures as claude
from oneseat.providers.claude_cli.wire import ResultLine
from oneseat.providers.codex_cli import failures as codex
from oneseat.providers.codex_cli import wire
from oneseat.rules.runs.retry import PASSING

from .asking import KEY, apis, ask
from .test_dialects import server

UNTRUSTED = "provider.untrusted_certificate"


@pytest.fixture
def inspected(tmp_path: Path) -> Iterator[tuple[str, list[object]]]:
    """An address behind a certificate that nobody signed, and the connections that were made to it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(_certificate(tmp_path / "made-up.pem"))
    made: list[object] = []

    def accept(listener: socket.socket) -> None:
        while True:
            try:
                connection, address = listener.accept()
            except OSError:
                return
            made.append(address)
            with closing(connection):
                try:
                    context.wrap_socket(connection, server_side=True).close()
                except OSError:
                    continue

    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=accept, args=(listener,))
    thread.start()
    yield f"https://127.0.0.1:{listener.getsockname()[1]}", made
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


def _certificate(path: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Made up")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    encoding = serialization.Encoding.PEM
    private = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(private + made.public_bytes(encoding))
    return path


@apis
def test_a_certificate_that_nobody_signed_is_named_and_tried_once(
    api: str, inspected: tuple[str, list[object]]
) -> None:
    url, made = inspected
    account = ApiAccount(key="work", place="this test", base_url=f"{url}/v1", default_model="made-up-1")
    turn = ask(ApiProvider(APIS[api], account, lambda: KEY, str))
    error = turn.ended.error
    assert error is not None
    assert (error.code, error.whose_turn, len(made)) == (UNTRUSTED, "you", 1)
    assert "SSL_CERT_FILE" in str(error.hint)


@pytest.mark.parametrize(
    "words",
    [
        "API Error: Unable to connect to API: SSL certificate verification failed (UNABLE_TO_VERIFY_LEAF_SIGNATURE)",
        "API Error: Unable to connect to API: Self-signed certificate detected",
        "API Error: SSL certificate error (SELF_SIGNED_CERT_IN_CHAIN). Set NODE_EXTRA_CA_CERTS",
    ],
)
def test_so_is_one_that_the_claude_cli_meets(words: str) -> None:
    line = ResultLine(subtype="success", is_error=True, result=words)
    error = claude.classify(line, "unknown", None, 0.0)
    assert error is not None
    assert (error.code, "SSL_CERT_FILE" in str(error.hint)) == (UNTRUSTED, True)


def test_so_is_one_that_the_codex_cli_meets() -> None:
    words = "stream disconnected before completion: error sending request: invalid peer certificate: UnknownIssuer"
    error = codex.classify(wire.Turn(status="failed", error=wire.TurnError(message=words)), None, 0.0)
    assert error is not None
    assert error.code == UNTRUSTED


def test_no_run_repeats_it() -> None:
    assert UNTRUSTED not in PASSING


def test_a_line_without_an_end_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "_MAX_LINE_BYTES", 100_000)
    with server(("text/event-stream", b"data: " + b"x" * 200_000)) as (provider, asked):
        turn = ask(provider)
    assert (turn.code, len(asked)) == ("provider.garbled", 1)
