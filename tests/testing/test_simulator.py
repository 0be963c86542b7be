"""The simulator as a server: routes, records, scripts, concurrency, and what is left when it stops."""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import msgspec
import psutil
import pytest

from oneseat.contract.errors import InternalError, UsageError
from oneseat.testing import (
    SIMULATOR_TOKEN,
    Answer,
    Failure,
    Filler,
    Limits,
    RecordedRequest,
    Simulator,
    Structured,
    Text,
    ToolRound,
    ToolUse,
    Usage,
    WindowShare,
)
from oneseat.testing.http import Connection

from .client import Reply, ask, connect, fetch, message, send

UNIFIED = "anthropic-ratelimit-unified-"


def unified(reply: Reply) -> dict[str, str]:
    return {
        name.removeprefix(UNIFIED): value for name, value in reply.headers.items() if name.startswith(UNIFIED)
    }


def names(records: list[RecordedRequest]) -> list[tuple[str, str, str, str | None]]:
    return [(record.method, record.path, record.scenario, record.label) for record in records]


def open_files() -> int:
    """How many files and sockets this process holds open."""
    if sys.platform == "win32":
        return psutil.Process().num_handles()
    return psutil.Process().num_fds()


def raw_ask(simulator: Simulator, scenario: str) -> socket.socket:
    """A streamed request on a bare socket, its answer unread."""
    client = socket.create_connection(("127.0.0.1", simulator.port), timeout=10)
    body = msgspec.json.encode(message(stream=True))
    head = f"POST /s/{scenario}/v1/messages HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n"
    client.sendall(head.encode() + body)
    return client


class TestRoutes:
    def test_a_url_without_a_path_is_the_scenario_ok(self, simulator: Simulator) -> None:
        assert ask(f"http://127.0.0.1:{simulator.port}").text() == "ok from the simulator"

    @pytest.mark.parametrize("label", [None, "run-1"])
    def test_the_base_url_answers_head_and_get(self, simulator: Simulator, label: str | None) -> None:
        url = simulator.url("echo", label)
        assert (fetch("HEAD", url).status, fetch("HEAD", url).body) == (200, b"")
        assert fetch("GET", url).json() == {"service": "oneseat simulator"}

    def test_count_tokens_is_a_quarter_of_the_bytes(self, simulator: Simulator) -> None:
        reply = fetch("POST", simulator.url("overloaded") + "/v1/messages/count_tokens", b'{"messages":[]}')
        assert (reply.status, reply.json()) == (200, {"input_tokens": 3})

    @pytest.mark.parametrize(
        ("method", "path"),
        [("GET", "/v1/messages"), ("POST", "/v1/models"), ("POST", "/"), ("POST", "/elsewhere")],
    )
    def test_anything_else_is_not_found_in_the_api_s_shape(
        self, simulator: Simulator, method: str, path: str
    ) -> None:
        reply = fetch(method, simulator.url() + path, b"{}" if method == "POST" else None)
        assert (reply.status, reply.json()["error"]["type"]) == (404, "not_found_error")

    @pytest.mark.parametrize(
        ("body", "what"),
        [
            (b"{", "not valid JSON"),
            (b"\xff", "not valid JSON"),
            (b"[]", "not a JSON object"),
            (b"{}", "model: Field required"),
            (b'{"model":"m","messages":"hi"}', "messages: Input should be a valid list"),
        ],
    )
    def test_a_bad_body_is_refused_as_the_api_does(
        self, simulator: Simulator, body: bytes, what: str
    ) -> None:
        reply = fetch("POST", simulator.url() + "/v1/messages", body)
        assert reply.status == 400
        assert what in reply.json()["error"]["message"]

    def test_a_body_over_32_mib_is_refused_after_it_was_read(self, simulator: Simulator) -> None:
        reply = fetch("POST", simulator.url() + "/v1/messages", b" " * (32 * 1024 * 1024 + 1))
        assert (reply.status, reply.json()["error"]["type"]) == (413, "request_too_large")

    def test_bytes_that_are_not_http_are_refused(self, simulator: Simulator) -> None:
        with socket.create_connection(("127.0.0.1", simulator.port)) as client:
            client.sendall(b"\x16\x03\x01 this is TLS\r\n\r\n")
            assert client.recv(65536).startswith(b"HTTP/1.1 400")

    def test_a_client_may_wait_for_100_continue(self, simulator: Simulator) -> None:
        with socket.create_connection(("127.0.0.1", simulator.port)) as client:
            client.sendall(
                b"POST /v1/messages HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n"
            )
            assert client.recv(65536).startswith(b"HTTP/1.1 100")
            client.sendall(b"{}")
            assert client.recv(65536).startswith(b"HTTP/1.1 400")


class TestRecords:
    def test_requests_are_kept_in_order_and_by_label(self, simulator: Simulator) -> None:
        first, second = simulator.url("echo", "first"), simulator.url("ok", "second")
        fetch("HEAD", first)
        ask(second)
        ask(first, text="hello")
        assert names(simulator.requests()) == [
            ("HEAD", "/", "echo", "first"),
            ("POST", "/v1/messages", "ok", "second"),
            ("POST", "/v1/messages", "echo", "first"),
        ]
        assert [record.number for record in simulator.requests("first")] == [1, 3]
        (asked,) = simulator.messages("first")
        assert asked.body["messages"] == [{"role": "user", "content": "hello"}]
        assert (asked.model, asked.body_bytes) == ("claude-made-up", int(asked.headers["content-length"]))

    @pytest.mark.parametrize(
        ("headers", "kinds", "is_ours"),
        [
            ({}, (), False),
            ({"authorization": f"Bearer {SIMULATOR_TOKEN}"}, ("bearer",), True),
            ({"authorization": "Bearer another"}, ("bearer",), False),
            ({"authorization": "Bearer "}, ("empty-bearer",), False),
            ({"authorization": "Basic YTpi"}, ("authorization",), False),
            ({"x-api-key": "k"}, ("x-api-key",), False),
            ({"x-api-key": SIMULATOR_TOKEN}, ("x-api-key",), True),
            ({"authorization": "Bearer another", "x-api-key": "k"}, ("bearer", "x-api-key"), False),
        ],
    )
    def test_credentials_are_named_by_kind(
        self, simulator: Simulator, headers: dict[str, str], kinds: tuple[str, ...], is_ours: bool
    ) -> None:
        fetch("POST", simulator.url() + "/v1/messages", message(), headers)
        (record,) = simulator.requests()
        assert (record.auth, record.simulator_token) == (kinds, is_ours)

    def test_no_value_of_a_header_that_could_be_a_credential_is_kept(self, simulator: Simulator) -> None:
        secret = "s3cr3t-value"
        headers = {
            "authorization": f"Bearer {secret}",
            "x-api-key": secret,
            "x-custom": secret,
            "cookie": secret,
        }
        fetch("POST", simulator.url() + f"/v1/messages?key={secret}", message(), headers)
        assert {*headers} <= {*simulator.requests()[0].headers}
        assert secret not in repr(simulator.requests())
        assert (
            secret not in fetch("GET", f"http://127.0.0.1:{simulator.port}/_simulator/requests").body.decode()
        )

    def test_other_processes_read_and_clear_them_over_http(self, simulator: Simulator) -> None:
        url = f"http://127.0.0.1:{simulator.port}/_simulator/requests"
        ask(simulator.url("overloaded-once", "a"))
        ask(simulator.url("ok", "b"))
        answer = fetch("GET", f"{url}?label=a").json()["requests"]
        assert msgspec.convert(answer, list[RecordedRequest]) == simulator.requests("a")
        assert len(fetch("GET", url).json()["requests"]) == 2
        assert fetch("DELETE", url).json() == {"requests": []}
        assert simulator.requests() == []
        assert ask(simulator.url("overloaded-once", "a")).status == 529

    def test_old_bodies_are_forgotten_before_they_fill_the_memory(
        self, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("oneseat.testing.recorder._KEEP_BYTES", 2000)
        for number in range(4):
            ask(simulator.url(), system=f"{number}" * 800)
        assert [record.body is not None for record in simulator.requests()] == [False, False, True, True]
        assert all(record.body_bytes > 800 for record in simulator.requests())

    def test_a_caller_can_wait_for_a_request(self, simulator: Simulator) -> None:
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(ask, simulator.url("hang", "late"), timeout=5)
            simulator.wait_for_messages(1, "late")
            assert len(simulator.messages("late")) == 1
            with pytest.raises(TimeoutError, match=r"1 of 2 model requests arrived within 0\.01 s"):
                simulator.wait_for_messages(2, "late", timeout_s=0.01)
            simulator.__exit__(None, None, None)
            with pytest.raises(OSError, match=r".+"):
                asked.result()


class TestScripts:
    def test_replies_are_played_in_order_and_the_last_repeats(self, simulator: Simulator) -> None:
        simulator.script(
            "mine", [Failure(status=500, kind="api_error", message="no"), Answer(content=(Text("yes"),))]
        )
        url = simulator.url("mine", "run")
        assert [ask(url).status for _ in range(3)] == [500, 200, 200]
        assert ask(simulator.url("mine", "another")).status == 500

    @pytest.mark.parametrize("name", ["", "two words", "a/b", "..", "ümlaut"])
    def test_a_name_must_fit_in_a_url(self, simulator: Simulator, name: str) -> None:
        with pytest.raises(ValueError, match="letters, digits"):
            simulator.script(name, [Answer(content=())])
        with pytest.raises(ValueError, match="letters, digits"):
            simulator.url("ok", name)

    def test_a_script_needs_a_reply(self, simulator: Simulator) -> None:
        with pytest.raises(ValueError, match="scenario without a reply: `mine`"):
            simulator.script("mine", [])

    def test_a_tool_round_ends_with_its_answer_however_often_it_is_run(self, simulator: Simulator) -> None:
        call = ToolUse("Read", {"file_path": "/made/up"})
        simulator.script("round", [ToolRound(call=call, answer=Answer(content=(Text("done"),)))])
        url = simulator.url("round", "same-label")
        for _ in range(2):
            asked = ask(url, stream=False).json()["content"][0]
            result = {"type": "tool_result", "tool_use_id": asked["id"], "content": "file"}
            answer = ask(url, stream=False, messages=[{"role": "user", "content": [result]}]).json()
            assert (asked["name"], answer["content"][0]["text"]) == ("Read", "done")

    def test_the_streamed_input_of_a_tool_is_the_whole_input(self, simulator: Simulator) -> None:
        given = {"text": "grüß dich", "list": [1, 2.5, None], "nested": {"a": True}}
        simulator.script("tool", [Answer(content=(ToolUse("T", given),))])
        events = ask(simulator.url("tool")).events()
        deltas = [event["delta"] for event in events if event["type"] == "content_block_delta"]
        assert msgspec.json.decode("".join(delta["partial_json"] for delta in deltas)) == given

    def test_a_structured_value_fits_the_schema_the_request_carries(self, simulator: Simulator) -> None:
        schema = {
            "type": "object",
            "properties": {
                "answer": {"type": "integer"},
                "mood": {"enum": ["calm", "cross"]},
                "kind": {"const": "note"},
                "tags": {"type": "array", "items": {"type": "string"}, "minItems": 2},
                "inner": {
                    "type": "object",
                    "properties": {"ratio": {"type": "number"}, "on": {"type": "boolean"}},
                },
                "left_out": {"type": "string"},
            },
            "required": ["answer", "mood", "kind", "tags", "inner"],
        }
        tools = [{"name": "Other"}, {"name": "StructuredOutput", "input_schema": schema}]
        block = ask(simulator.url("structured"), stream=False, tools=tools).json()["content"][0]
        inner = {"ratio": 1.5, "on": True}
        expected = {"answer": 1, "mood": "calm", "kind": "note", "tags": ["text", "text"], "inner": inner}
        assert (block["name"], block["input"]) == ("StructuredOutput", expected)

    def test_a_structured_value_may_be_given(self, simulator: Simulator) -> None:
        simulator.script("given", [Answer(content=(Structured({"answer": 42}),))])
        assert ask(simulator.url("given")).text() == '{"answer":42}'

    @pytest.mark.parametrize(
        ("text", "delta_chars", "pieces"),
        [
            ("one two  three\n", None, ["one", " two", "  three", "\n"]),
            ("abcdef", 4, ["abcd", "ef"]),
            ("", 4, []),
        ],
    )
    def test_a_text_is_cut_into_deltas(
        self, simulator: Simulator, text: str, delta_chars: int | None, pieces: list[str]
    ) -> None:
        simulator.script("cut", [Answer(content=(Text(text, delta_chars),))])
        events = ask(simulator.url("cut")).events()
        assert [
            event["delta"]["text"] for event in events if event["type"] == "content_block_delta"
        ] == pieces

    def test_usage_is_what_the_script_says_and_ids_say_where_they_come_from(
        self, simulator: Simulator
    ) -> None:
        usage = Usage(
            input_tokens=1,
            cache_write_5m_tokens=2,
            cache_write_1h_tokens=3,
            cache_read_tokens=4,
            output_tokens=5,
        )
        simulator.script("used", [Answer(content=(Text("x"),), usage=usage)])
        whole = ask(simulator.url("used", "run-1"), stream=False).json()
        assert whole["usage"] == {
            "input_tokens": 1,
            "cache_creation_input_tokens": 5,
            "cache_read_input_tokens": 4,
            "cache_creation": {"ephemeral_5m_input_tokens": 2, "ephemeral_1h_input_tokens": 3},
            "output_tokens": 5,
            "service_tier": "standard",
        }
        ids = [ask(simulator.url("used", "run-1"), stream=False).json()["id"] for _ in range(2)]
        assert [whole["id"], *ids] == ["msg_used_run_1_0001", "msg_used_run_1_0002", "msg_used_run_1_0003"]

    def test_a_delay_passes_before_the_headers(self, simulator: Simulator) -> None:
        simulator.script("late", [Answer(content=(Text("late"),), delay_s=0.05)])
        with pytest.raises(TimeoutError):
            ask(simulator.url("late"), timeout=0.01)
        assert ask(simulator.url("late")).text() == "late"


class TestLimitHeaders:
    def test_a_plan_that_is_fine(self, simulator: Simulator) -> None:
        headers = unified(ask(simulator.url()))
        reset = int(headers["reset"])
        assert headers == {
            "status": "allowed",
            "reset": str(reset),
            "representative-claim": "five_hour",
            "overage-status": "rejected",
            "overage-disabled-reason": "org_level_disabled",
            "5h-utilization": "0.12",
            "5h-reset": str(reset),
            "7d-utilization": "0.34",
            "7d-reset": str(reset - 3 * 3600 + 3 * 24 * 3600),
        }
        assert unified(ask(simulator.url())) == headers

    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            (
                "warning-five-hour",
                {"status": "allowed", "5h-utilization": "0.93", "5h-surpassed-threshold": "0.9"},
            ),
            (
                "warning-seven-day",
                {"status": "allowed", "7d-utilization": "0.78", "7d-surpassed-threshold": "0.75"},
            ),
            ("overage", {"status": "rejected", "overage-status": "allowed", "overage-in-use": "true"}),
            (
                "last-of-five-hour",
                {"status": "rejected", "overage-status": "rejected", "5h-utilization": "1"},
            ),
            ("limit-five-hour", {"status": "rejected", "representative-claim": "five_hour"}),
            (
                "limit-seven-day",
                {"status": "rejected", "representative-claim": "seven_day", "7d-utilization": "1"},
            ),
            ("limit-opus", {"status": "rejected", "representative-claim": "seven_day_opus"}),
        ],
    )
    def test_other_states(self, simulator: Simulator, name: str, expected: dict[str, str]) -> None:
        assert expected.items() <= unified(ask(simulator.url(name))).items()

    def test_states_of_your_own(self, simulator: Simulator) -> None:
        share = WindowShare(window="five_hour", used=0.5, resets_in_s=60)
        simulator.script("half", [Answer(content=(), limits=Limits(shares=(share,)))])
        simulator.script("none", [Answer(content=(), limits=None)])
        assert unified(ask(simulator.url("half")))["5h-utilization"] == "0.5"
        assert unified(ask(simulator.url("none"))) == {}

    def test_a_plain_429_names_no_window(self, simulator: Simulator) -> None:
        assert unified(ask(simulator.url("rate-limited"))) == {}
        assert ask(simulator.url("rate-limited-retry-after")).headers["retry-after"] == "3"


class TestConnections:
    def test_one_connection_carries_many_requests(self, simulator: Simulator) -> None:
        url, connection = simulator.url("echo"), connect(simulator.url())
        for words in ("one", "two", "three"):
            assert send(connection, "POST", f"{url}/v1/messages", message(words, stream=True)).text() == words
            sock = connection.sock
            assert sock is not None
        connection.close()

    def test_two_hundred_clients_at_once(self, simulator: Simulator) -> None:
        url = simulator.url("echo")
        with ThreadPoolExecutor(200) as pool:
            replies = list(pool.map(lambda number: ask(url, text=f"client {number}").text(), range(200)))
        assert replies == [f"client {number}" for number in range(200)]
        assert len(simulator.messages()) == 200

    async def test_packets_are_sent_without_waiting_for_an_acknowledgement(self) -> None:
        options = []

        def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            Connection(reader, writer)
            sock = writer.get_extra_info("socket")
            options.append(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            writer.close()

        server = await asyncio.start_server(connected, sock=socket.create_server(("127.0.0.1", 0)))
        async with server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            assert await reader.read() == b""
            writer.close()
            await writer.wait_closed()
        assert options == [1]

    def test_a_client_that_leaves_ends_its_own_request_only(self, simulator: Simulator) -> None:
        with pytest.raises(TimeoutError):
            ask(simulator.url("hang"), timeout=0.05)
        assert ask(simulator.url()).status == 200


class TestLife:
    @pytest.mark.parametrize("scenario", ["ok", "hang", "hang-mid-stream", "pings", "slow"])
    def test_nothing_is_left_when_it_stops_in_the_middle_of_an_answer(self, scenario: str) -> None:
        threads, files = threading.active_count(), open_files()
        with Simulator() as simulator:
            client = raw_ask(simulator, scenario)
            simulator.wait_for_messages()
        while client.recv(65536):
            pass
        client.close()
        assert (threading.active_count(), open_files()) == (threads, files)

    def test_a_client_that_does_not_read_cannot_hold_up_the_end(self) -> None:
        files = open_files()
        with Simulator() as simulator:
            simulator.script("more-than-the-kernel-takes", [Answer(content=(Filler(32 * 1024),))])
            client = raw_ask(simulator, "more-than-the-kernel-takes")
            assert client.recv(8) == b"HTTP/1.1"
        client.close()
        assert open_files() == files

    def test_it_can_be_stopped_before_anybody_came(self) -> None:
        files = open_files()
        for _ in range(20):
            with Simulator():
                pass
        assert open_files() == files

    def test_it_listens_on_loopback_only(self, simulator: Simulator) -> None:
        listening = [
            entry for entry in psutil.Process().net_connections() if entry.laddr[1] == simulator.port
        ]
        assert [entry.laddr[0] for entry in listening if entry.status == psutil.CONN_LISTEN] == ["127.0.0.1"]

    def test_it_serves_in_the_callers_loop_until_cancelled(self) -> None:
        async def serve_once() -> str:
            foreground = Simulator()
            foreground.bind()
            serving = asyncio.create_task(foreground.serve_forever())
            answer = await asyncio.to_thread(ask, foreground.url("echo"), text="from the foreground")
            serving.cancel()
            with pytest.raises(asyncio.CancelledError):
                await serving
            return answer.text()

        assert asyncio.run(serve_once()) == "from the foreground"

    def test_a_port_in_use_is_a_usage_error_with_a_way_out(self, simulator: Simulator) -> None:
        with pytest.raises(UsageError) as caught, Simulator(simulator.port):
            pass
        info = caught.value.info
        assert (info.code, info.message) == (
            "usage.port_in_use",
            f"cannot listen on port: `{simulator.port}`; another program listens on it",
        )
        assert info.hint == "let the system choose a free port: `oneseat simulator --port 0`"

    def test_a_port_that_cannot_be_is_a_usage_error(self) -> None:
        with pytest.raises(UsageError) as caught:
            Simulator(65536).bind()
        assert caught.value.info.code == "usage.port_refused"

    def test_the_same_port_can_be_taken_again_at_once(self) -> None:
        with Simulator() as first:
            port = first.port
            ask(first.url())
        with Simulator(port) as second:
            assert ask(second.url()).status == 200

    def test_a_url_needs_a_port(self) -> None:
        with pytest.raises(InternalError):
            Simulator().url()

    def test_a_bug_in_the_simulator_fails_the_test_that_met_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def broken(*_: object) -> None:
            raise ZeroDivisionError

        monkeypatch.setattr("oneseat.testing.dialects.messages.parse", broken)
        with (
            pytest.raises(ExceptionGroup) as caught,
            Simulator() as simulator,
            pytest.raises(OSError, match=r".+"),
        ):
            ask(simulator.url())
        assert caught.group_contains(ZeroDivisionError)
