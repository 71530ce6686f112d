"""The gate as ASGI, without a server: what it lets in and what it refuses."""

import asyncio
import json
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from mgray.errors import ConfigError
from serve.gate import IN_PROXY, PROXY_CALLBACK, Gate, check_environment, gate_config

TOKEN = "0123456789abcdef"
AUTHORISED = ("authorization", f"Bearer {TOKEN}")
SETTINGS = {"MGRAY_TOKEN": TOKEN, "MGRAY_MAX_BODY_BYTES": "1000"}


class Answer:
    """What came back, and what the application saw."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.seen: list[tuple[Scope, bytes]] = []
        self.received = 0
        self.counted: list[str] = []

    @property
    def status(self) -> int:
        return int(self.messages[0]["status"])

    @property
    def headers(self) -> dict[str, str]:
        return {k.decode(): v.decode() for k, v in self.messages[0]["headers"]}

    @property
    def code(self) -> str:
        body = b"".join(message.get("body", b"") for message in self.messages[1:])
        return str(json.loads(body)["code"])


def scope_of(headers: Iterable[tuple[str, str]]) -> Scope:
    """A post with these headers."""
    return {
        "type": "http",
        "method": "POST",
        "path": "/v1/detect",
        "raw_path": b"/v1/detect",
        "query_string": b"",
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers],
        "client": ("192.0.2.7", 1234),
        "server": ("192.0.2.1", 8000),
    }


def ask(
    headers: Iterable[tuple[str, str]] = (AUTHORISED,),
    chunks: Iterable[bytes] = (b"body",),
    settings: dict[str, str] | None = None,
    app: Callable[..., Any] | None = None,
    **scope: Any,
) -> Answer:
    """One request through a gate; the stream of chunks never ends by itself if it is endless."""
    answer = Answer()
    waiting = iter(chunks)
    following = next(waiting, b"")

    async def receive() -> Message:
        nonlocal following
        answer.received += 1
        chunk, following = following, next(waiting, None)  # type: ignore[assignment]
        if chunk is None:
            await asyncio.Event().wait()
        return {"type": "http.request", "body": chunk, "more_body": following is not None}

    async def send(message: Message) -> None:
        answer.messages.append(message)

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message["body"], message["more_body"]
        answer.seen.append((scope, body))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"fine"})

    environ = {**SETTINGS, **(settings or {})}
    gate = Gate(app or inner, outermost=True, environ=environ, count=answer.counted.append)
    asyncio.run(gate({**scope_of(headers), **scope}, receive, send))
    assert gate.held_bytes == 0
    return answer


def test_a_request_with_the_token_reaches_the_application_whole() -> None:
    answer = ask(chunks=[b"a", b"b", b"c"])
    assert answer.status == 200
    assert answer.seen[0][1] == b"abc"
    assert answer.counted == []


@pytest.mark.parametrize("headers", [[], [("authorization", "Bearer wrong")], [AUTHORISED] * 2])
def test_without_the_token_it_is_401(headers: list[tuple[str, str]]) -> None:
    answer = ask(headers)
    assert (answer.status, answer.code) == (401, "unauthorized")
    assert answer.counted == ["unauthorized"]
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.seen == []


def test_401_is_answered_before_the_body_is_read() -> None:
    first: list[int] = []
    answer = Answer()

    async def receive() -> Message:
        first.append(len(answer.messages))
        return {"type": "http.request", "body": b"x", "more_body": False}

    async def send(message: Message) -> None:
        answer.messages.append(message)

    scope = {"type": "http", "method": "POST", "path": "/v1/detect", "query_string": b""}
    gate = Gate(_unreached, environ=SETTINGS)
    asyncio.run(gate({**scope, "headers": [(b"content-length", b"1")]}, receive, send))
    assert answer.status == 401
    assert min(first) == 2  # head and text of the answer had been sent


async def _unreached(scope: Scope, receive: Receive, send: Send) -> None:
    pytest.fail("a refused request was passed on")


@pytest.mark.parametrize("path", ["/", "/livez", "/readyz", "/v2/health/ready", "/page/page.js"])
def test_health_and_the_page_need_no_token(path: str) -> None:
    assert ask([], [b""], method="GET", path=path).status == 200


@pytest.mark.parametrize("path", ["/metrics", "/openapi.json", "/-/routes", "/page/../metrics"])
def test_everything_else_needs_one(path: str) -> None:
    assert ask([], [b""], method="GET", path=path).status == 401


def test_an_open_path_takes_no_body() -> None:
    assert ask([], [b"x"], method="GET", path="/livez").code == "too_large"


def test_an_open_path_is_open_to_reading_only() -> None:
    assert ask([], [b""], method="POST", path="/livez").status == 401


def test_a_body_that_grows_too_large_is_cut_off() -> None:
    answer = ask(chunks=[bytes(300)] * 100, app=_unreached)
    assert (answer.status, answer.code) == (413, "too_large")
    assert answer.headers["connection"] == "close"


def test_an_announced_length_is_refused_before_reading() -> None:
    answer = ask([AUTHORISED, ("content-length", "1001")], [b""], app=_unreached)
    assert answer.code == "too_large"


def test_a_length_that_is_no_number_is_refused() -> None:
    assert ask([AUTHORISED, ("content-length", "-1")], app=_unreached).code == "too_large"


QUICK = {"MGRAY_BODY_IDLE_S": "0.01", "MGRAY_BODY_DEADLINE_S": "0.05"}


def test_a_body_that_stalls_is_408(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serve.exchange.LINGER_S", 0.01)

    async def stalled(gate: Gate) -> list[Message]:
        sent: list[Message] = []

        async def receive() -> Message:
            await asyncio.Event().wait()
            raise AssertionError

        async def send(message: Message) -> None:
            sent.append(message)

        scope = {"type": "http", "method": "POST", "path": "/v1/detect", "query_string": b""}
        head = [(AUTHORISED[0].encode(), AUTHORISED[1].encode())]
        await gate({**scope, "headers": head}, receive, send)
        return sent

    sent = asyncio.run(stalled(Gate(_unreached, environ={**SETTINGS, **QUICK})))
    assert sent[0]["status"] == 408


def test_a_body_that_trickles_is_408_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serve.exchange.LINGER_S", 0.01)
    sent: list[Message] = []

    async def receive() -> Message:
        await asyncio.sleep(0.005)
        return {"type": "http.request", "body": b"x", "more_body": True}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/v1/detect", "query_string": b""}
    head = [(AUTHORISED[0].encode(), AUTHORISED[1].encode())]
    gate = Gate(_unreached, environ={**SETTINGS, **QUICK})
    asyncio.run(gate({**scope, "headers": head}, receive, send))
    assert sent[0]["status"] == 408
    assert gate.held_bytes == 0


def test_more_than_all_requests_may_hold_is_503_with_a_time_to_come_again() -> None:
    answer = ask(chunks=[bytes(500)], settings={"MGRAY_MAX_HELD_BYTES": "400"}, app=_unreached)
    assert (answer.status, answer.code) == (503, "busy")
    assert int(answer.headers["retry-after"]) >= 1


def test_a_long_url_is_414() -> None:
    assert ask(query_string=b"x" * 3000).code == "url_too_long"


def test_many_headers_are_431() -> None:
    assert ask([AUTHORISED, *[("x", "y")] * 64]).code == "headers_too_large"


def test_long_headers_are_431() -> None:
    assert ask([AUTHORISED, ("x", "y" * 17_000)]).code == "headers_too_large"


def test_a_client_that_hangs_up_is_not_answered() -> None:
    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        pytest.fail("nobody listens")

    scope = {"type": "http", "method": "POST", "path": "/v1/detect", "query_string": b""}
    head = [(AUTHORISED[0].encode(), AUTHORISED[1].encode())]
    asyncio.run(Gate(_unreached, environ=SETTINGS)({**scope, "headers": head}, receive, send))


@pytest.mark.parametrize(
    "name",
    ["x-request-timeout-seconds", "X_Request_Disconnect_Disabled", "serve_multiplexed_model_id"],
)
def test_headers_that_steer_serve_are_dropped(name: str) -> None:
    answer = ask([AUTHORISED, (name.lower(), "0")])
    assert {key for key, _ in answer.seen[0][0]["headers"]} == {b"authorization", b"x-request-id"}


def test_a_plain_request_id_is_kept() -> None:
    answer = ask([("x-request-id", "abc-1")])
    assert answer.headers["x-request-id"] == "abc-1"


@pytest.mark.parametrize("given", ["a b", "x" * 65, "DOE^JANE", "\xff"])
def test_any_other_request_id_is_replaced(given: str) -> None:
    answer = ask([("x-request-id", given)])
    assert len(answer.headers["x-request-id"]) == 32


def test_an_application_that_says_nothing_is_unavailable() -> None:
    async def silent(scope: Scope, receive: Receive, send: Send) -> None:
        return

    answer = ask(app=silent)
    assert (answer.status, answer.code) == (503, "unavailable")


@pytest.mark.parametrize(
    ("status", "code"),
    [(404, "not_found"), (408, "deadline"), (429, "unavailable"), (500, "internal")],
)
def test_words_of_serve_do_not_get_out(status: int, code: str) -> None:
    async def serve_says(scope: Scope, receive: Receive, send: Send) -> None:
        head = [(b"content-type", b"text/plain")]
        await send({"type": "http.response.start", "status": status, "headers": head})
        await send({"type": "http.response.body", "body": b"Traceback: PatientName"})

    answer = ask(app=serve_says)
    assert answer.code == code
    assert b"Patient" not in b"".join(message.get("body", b"") for message in answer.messages)


def test_without_auth_this_machine_is_answered() -> None:
    here = {"client": ("127.0.0.1", 1), "server": ("::1", 8000)}
    assert ask([], settings={"MGRAY_AUTH": "none"}, **here).status == 200


@pytest.mark.parametrize(
    "where",
    [
        {"client": ("192.0.2.7", 1), "server": ("127.0.0.1", 8000)},
        {"client": ("127.0.0.1", 1), "server": ("192.0.2.1", 8000)},
        {"client": None, "server": None},
    ],
)
def test_without_auth_nobody_else_is(where: dict[str, Any]) -> None:
    assert ask([], settings={"MGRAY_AUTH": "none"}, **where).status == 401


def test_a_websocket_is_closed() -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    gate = Gate(_unreached, environ=SETTINGS)
    asyncio.run(gate({"type": "websocket"}, None, send))  # type: ignore[arg-type]  # never called
    assert sent == [{"type": "websocket.close", "code": 1008}]


def test_settings_come_from_the_environment() -> None:
    assert gate_config({"MGRAY_MAX_BODY_BYTES": "7"}).max_body_bytes == 7


def test_a_wrong_setting_is_one_line() -> None:
    with pytest.raises(ConfigError, match="auth='open'"):
        gate_config({"MGRAY_AUTH": "open"})


def test_an_endpoint_without_token_is_refused() -> None:
    with pytest.raises(ConfigError, match="no token"):
        check_environment({})


@pytest.mark.parametrize("told", [True, False])
def test_a_proxy_without_the_gate_is_told(told: bool, caplog: pytest.LogCaptureFixture) -> None:
    check_environment(SETTINGS | ({PROXY_CALLBACK: IN_PROXY} if told else {}))
    assert ("holds bodies without bound" in caplog.text) != told


def test_bytes_of_a_body_that_is_done_while_another_is_waited_for_are_forgotten() -> None:
    held, waiting, done = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        held.set()
        await waiting.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def early() -> Message:
        return {"type": "http.request", "body": b"y" * 1000, "more_body": False}

    async def late() -> Message:
        waiting.set()
        await done.wait()
        return {"type": "http.request", "body": b"x", "more_body": False}

    async def nobody(message: Message) -> None:
        pass

    async def both() -> int:
        gate = Gate(app, outermost=True, environ=SETTINGS)
        first = asyncio.create_task(gate(scope_of([AUTHORISED]), early, nobody))
        await held.wait()
        second = asyncio.create_task(gate(scope_of([AUTHORISED]), late, nobody))
        await first
        done.set()
        await second
        return gate.held_bytes

    assert asyncio.run(both()) == 0


@pytest.mark.parametrize(("length", "status"), [("4", 200), ("1001", 413), ("9" * 5000, 413)])
def test_a_length_may_have_thousands_of_leading_zeros(length: str, status: int) -> None:
    assert ask([AUTHORISED, ("content-length", "0" * 5000 + length)]).status == status
