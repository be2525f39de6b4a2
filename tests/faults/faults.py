"""The table of faults that are failures: what the proxy does, and what the client says about it."""

import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Final

import httpx
import zstandard

from heksherlite import ServiceResponseError
from tests.faults.proxy import Exchange, Fault, Response, refuses_connections
from tests.sdk.scripted_service import QUERY, queried, rule

JSON: Final = {"Content-Type": "application/json"}

MAX_BODY: Final = 1 << 20
"""How large bodies may be for the clients in these tests, in bytes."""

QUICK: Final[Mapping[str, Any]] = {
    "response_timeout": 0.3,
    "http_client_args": {"timeout": httpx.Timeout(5, read=0.2)},
}
"""Options of clients that are to notice that no response comes."""


@dataclass(frozen=True)
class Failure:
    """A fault that makes updates fail.

    Attributes:
        fault: What happens.
        error: What the client's status says.
        message: What the error's message matches.
        options: Those of the client.
    """

    fault: Fault
    error: type[Exception] = httpx.TransportError
    message: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)


def responses(body: Any = b"", status: int = 200, **headers: str) -> Fault:
    """Respond to every request with this. The body is sent as JSON unless it is bytes."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda exchange: exchange.respond(Response(status, content, {**JSON, **named}))


def without_tag(exchange: Exchange) -> None:
    """Respond as a v1 service does that supports neither tags nor lines."""
    exchange.headers = {**exchange.headers, "accept": "application/json", "if-none-match": ""}
    exchange.respond(replace(exchange.ask_service(), headers=JSON))


def only(path: str, fault: Fault, otherwise: Fault = Exchange.pass_on) -> Fault:
    """Have a fault for requests of one path, and another behaviour for the others."""
    return lambda exchange: fault(exchange) if exchange.path == path else otherwise(exchange)


def to_queries(fault: Fault, otherwise: Fault = Exchange.pass_on) -> Fault:
    """Have a fault for queries, and another behaviour for other requests."""
    return only(QUERY, fault, otherwise)


def lines(*data: object) -> bytes:
    """Return a body of lines."""
    return b"".join(json.dumps(line).encode() + b"\n" for line in data)


def never_responds(exchange: Exchange) -> None:
    """Send nothing until the fault changes."""
    exchange.wait()
    exchange.hang_up()


def drips(exchange: Exchange) -> None:
    """Send the response byte by byte, each of them before the time-out."""
    response = exchange.ask_service()
    for byte in response.head + response.body:
        exchange.send(bytes([byte]))
        if exchange.wait(0.05):
            exchange.hang_up()
            return


def resets_in_header(exchange: Exchange) -> None:
    """Reset the connection in the middle of the headers."""
    exchange.send(b"HTTP/1.1 200 OK\r\nContent-Le")
    exchange.reset()


def resets_at_once(exchange: Exchange) -> None:
    """Reset the connection instead of responding."""
    exchange.reset()


def resets_in_body(exchange: Exchange) -> None:
    """Reset the connection in the middle of the body."""
    response = Response(200, b'{"settings":{}}', JSON)
    exchange.send(response.head + response.body[:5])
    exchange.reset()


def hangs_up(exchange: Exchange) -> None:
    """Close the connection without a response."""
    exchange.hang_up()


def cuts_off_chunks(exchange: Exchange) -> None:
    """Close the connection in the middle of a chunk."""
    exchange.send(Response(200, b"", {**JSON, "Transfer-Encoding": "chunked"}).head + b'40\r\n{"settings":')
    exchange.hang_up()


def leaves_out_the_last_chunk(exchange: Exchange) -> None:
    """Close the connection after a chunk, so that only the last, empty chunk is missing."""
    exchange.send(Response(200, b"", {**JSON, "Transfer-Encoding": "chunked"}).head + b'f\r\n{"settings":{}}\r\n')
    exchange.hang_up()


def announces_too_much(exchange: Exchange) -> None:
    """Announce more bytes than are sent."""
    exchange.respond(Response(200, b'{"settings":{}}', {**JSON, "Content-Length": "16"}))
    exchange.hang_up()


def announces_too_little(exchange: Exchange) -> None:
    """Announce fewer bytes than are sent, and leave the connection open."""
    exchange.respond(Response(200, b'{"settings":{}}', {**JSON, "Content-Length": "14"}))


def speaks_another_protocol(exchange: Exchange) -> None:
    """Send something that is not HTTP."""
    exchange.send(b"220 mail.example ESMTP\r\n")
    exchange.hang_up()


@cache
def _bomb(coding: str) -> bytes:
    zeros = bytes(64 * MAX_BODY)
    return gzip.compress(zeros, 1) if coding == "gzip" else zstandard.compress(zeros)


def explodes(coding: str) -> Fault:
    """Respond with a small body that is large when decompressed."""

    def treat(exchange: Exchange) -> None:
        responses(_bomb(coding), Content_Encoding=coding)(exchange)

    return treat


def never_ends(exchange: Exchange) -> None:
    """Send a body without end."""
    exchange.send(Response(200, b"", {**JSON, "Transfer-Encoding": "chunked"}).head)
    while not exchange.wait(0):
        exchange.send(b"10000\r\n" + bytes(0x10000) + b"\r\n")


def redirects(exchange: Exchange) -> None:
    """Redirect the client to the same address."""
    responses(status=302, Location=exchange.target)(exchange)


_STATUS_ERROR: Final = httpx.HTTPStatusError
_FOLLOWING: Final = {"http_client_args": {"follow_redirects": True}}
_GZIPPED: Final = gzip.compress(b'{"settings":{}}')
_SMALL: Final = {"max_body_size": MAX_BODY}

CONNECTIONS: Final[Mapping[str, Failure]] = {
    "refused": Failure(refuses_connections, httpx.ConnectError),
    "never responds": Failure(never_responds, httpx.ReadTimeout, options=QUICK),
    "drips": Failure(drips, httpx.ReadTimeout, "response_timeout of 0.3 s", QUICK),
    "reset at once": Failure(resets_at_once),
    "reset in the header": Failure(resets_in_header),
    "reset in the body": Failure(resets_in_body),
    "hangs up": Failure(hangs_up, httpx.RemoteProtocolError),
    "chunks cut off": Failure(cuts_off_chunks, httpx.RemoteProtocolError),
    "last chunk missing": Failure(leaves_out_the_last_chunk, httpx.RemoteProtocolError),
    "Content-Length too long": Failure(announces_too_much, httpx.RemoteProtocolError),
    "Content-Length too short": Failure(announces_too_little, Exception),
    "another protocol": Failure(speaks_another_protocol, httpx.RemoteProtocolError),
}

STATUSES: Final[Mapping[str, Failure]] = {
    **{
        str(status): Failure(responses(b"sorry", status), _STATUS_ERROR, f"unexpected status {status} .*sorry")
        for status in (400, 401, 403, 429, 500, 502, 503)
    },
    "503 with Retry-After": Failure(responses(status=503, Retry_After="0"), _STATUS_ERROR, "503"),
    "503 with an impossible Retry-After": Failure(
        responses(status=503, Retry_After="Fri, 31 Dec 99999999999999999999 23:59:59 GMT"), _STATUS_ERROR, "503"
    ),
    "204": Failure(responses(status=204), _STATUS_ERROR, "204"),
    "redirected": Failure(redirects, _STATUS_ERROR, "302"),
    "redirect loop": Failure(redirects, httpx.TooManyRedirects, options=_FOLLOWING),
}

BODIES: Final[Mapping[str, Failure]] = {
    name: Failure(fault, ServiceResponseError, message, _SMALL)
    for name, (fault, message) in {
        "HTML": (responses(b"<html>Log in</html>", Content_Type="text/html"), "not JSON"),
        "empty": (responses(), "not JSON"),
        "invalid UTF-8": (responses(b'{"settings":{"x":{"default_value":"\xff","rules":[]}}}'), "not JSON"),
        "invalid JSON": (responses(b'{"settings":{"x":{"default_value":1,"rules":[],}}}'), "not JSON"),
        "NaN": (responses(b'{"settings":{"x":{"default_value":NaN,"rules":[]}}}'), "not JSON"),
        "10,000-deep nesting": (responses(b'{"settings":' + b"[" * 10_000 + b"]" * 10_000 + b"}"), "not JSON"),
        "another shape": (responses(queried("x", 5, rule(1, 5, user=1))), "condition values"),  # type: ignore[arg-type]
        "gzip bomb": (explodes("gzip"), f"larger than the max_body_size of {MAX_BODY}"),
        "zstd bomb": (explodes("zstd"), f"larger than the max_body_size of {MAX_BODY}"),
        "endless": (never_ends, f"larger than the max_body_size of {MAX_BODY}"),
        "unasked coding": (
            responses(b"\x0b\x02\x80{}\x03", Content_Encoding="br"),
            "'br' is not one of those accepted",
        ),
        "two codings": (responses(gzip.compress(_GZIPPED), Content_Encoding="gzip, gzip"), "'gzip, gzip'"),
        "gzip cut off": (responses(_GZIPPED[:-9], Content_Encoding="gzip"), "truncated"),
        "gzip garbage": (responses(b"garbage", Content_Encoding="gzip"), "malformed data in the content coding 'gzip'"),
        "gzip and garbage": (
            responses(_GZIPPED + b"garbage", Content_Encoding="gzip"),
            "malformed data in the content coding",
        ),
        "zstd cut off": (responses(zstandard.compress(b"{}")[:-1], Content_Encoding="zstd"), ""),
        "zstd garbage": (responses(b"garbage", Content_Encoding="zstd"), "malformed data in the content coding 'zstd'"),
    }.items()
}

ALL: Final = {**CONNECTIONS, **STATUSES, **BODIES}
