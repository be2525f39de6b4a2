"""The authorization code grant with PKCE (RFC 7636), and a redirect to this machine (RFC 8252)."""

import secrets
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl, urlsplit

import anyio
import h11
from anyio.abc import SocketAttribute, SocketStream
from authlib.oauth2.rfc6749 import OAuth2Token
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from heksherlite.http.urls import printable, shown_url
from heksherlite.integrations.oauth2.configuration import GrantType
from heksherlite.integrations.oauth2.logins import LoginOptions
from heksherlite.integrations.oauth2.token_client import Failure, TokenClient

_REQUEST_SECONDS: Final = 10
_DONE: Final = "You are logged in. You can close this window."
_FAILED: Final = "The login failed. The program has the reason."
_FOREIGN: Final = "This is not the login that the program is waiting for."
_CONNECTION_ERRORS: Final = (
    anyio.BrokenResourceError,
    anyio.ClosedResourceError,
    anyio.EndOfStream,
    h11.RemoteProtocolError,
    OSError,
)


async def log_in(client: TokenClient, options: LoginOptions) -> OAuth2Token | Failure:
    """Return the token of a person who logs in on a page of the authorization server.

    Args:
        client: The client.
        options: How the person logs in.
    """
    url = await client.endpoint("authorization_url")
    if isinstance(url, Failure):
        return url
    configuration = client.configuration
    redirect = urlsplit(configuration.redirect_uri)
    try:
        listener = await anyio.create_tcp_listener(local_host=redirect.hostname, local_port=redirect.port or 0)
    except OSError as error:
        return Failure(configuration.redirect_uri, f"cannot listen there: {error.strerror or error}")
    async with listener:
        # `extra` of anyio, which the checkers take for that of Django.
        port = listener.extra(SocketAttribute.local_port)  # noqa: S610  # nosec B610
        host = f"[{redirect.hostname}]" if ":" in (redirect.hostname or "") else redirect.hostname
        redirect_uri = redirect._replace(netloc=f"{host}:{port}").geturl()
        verifier = secrets.token_urlsafe(64)
        waiting = _Redirect(redirect.path or "/", configuration.issuer, shown_url(url))
        page = prepare_grant_uri(
            url,
            configuration.client_id,
            "code",
            redirect_uri,
            **{
                **configuration.request_parameters(),
                "state": waiting.state,
                "code_challenge": create_s256_code_challenge(verifier),  # type: ignore[no-untyped-call]
                "code_challenge_method": "S256",
            },
        )
        options.begin(configuration.client_id, page, None)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listener.serve, waiting.handle)
            with anyio.move_on_after(options.timeout):
                await waiting.done.wait()
            tasks.cancel_scope.cancel()
    outcome = waiting.outcome
    if outcome is None:
        return Failure(shown_url(url), f"nobody logged in within {options.timeout:g} s")
    if isinstance(outcome, Failure):
        return outcome
    return await client.request_token(
        GrantType.AUTHORIZATION_CODE, code=outcome, redirect_uri=redirect_uri, code_verifier=verifier
    )


@dataclass(slots=True, eq=False)
class _Redirect:
    """Waits for the browser that returns from the authorization server.

    Attributes:
        path: The path of the redirect URI.
        issuer: The expected issuer, or None.
        url: The URL of the authorization endpoint, for errors.
        state: The secret by which the browser proves that it is that of the person.
        done: Set when there is an outcome.
        outcome: The code, or why there is none.
    """

    path: str
    issuer: str | None
    url: str
    state: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    done: anyio.Event = field(default_factory=anyio.Event)
    outcome: str | Failure | None = None

    async def handle(self, stream: SocketStream) -> None:
        """Answer one connection."""
        async with stream:
            with anyio.move_on_after(_REQUEST_SECONDS):
                try:
                    connection = h11.Connection(h11.SERVER)
                    request = await _receive(connection, stream)
                    status, text = (400, _FOREIGN) if request is None else self._respond(request)
                    await _send(connection, stream, status, text)
                except _CONNECTION_ERRORS:
                    return
        if self.outcome is not None:
            self.done.set()

    def _respond(self, request: h11.Request) -> tuple[int, str]:
        target = urlsplit(request.target.decode("ascii"))
        if request.method != b"GET" or target.path != self.path:
            return 404, _FOREIGN
        parameters = dict(parse_qsl(target.query))
        if not secrets.compare_digest(parameters.get("state", "").encode(), self.state.encode()):
            return 400, _FOREIGN
        if self.outcome is None:
            self.outcome = self._read(parameters)
        return (400, _FAILED) if isinstance(self.outcome, Failure) else (200, _DONE)

    def _read(self, parameters: dict[str, str]) -> str | Failure:
        issuer = parameters.get("iss")  # RFC 9207
        if issuer is not None and self.issuer is not None and issuer.rstrip("/") != self.issuer.rstrip("/"):
            return Failure(self.url, f"the redirect is from another issuer, {printable(issuer)!r}")
        if "error" in parameters:
            texts = (parameters["error"], parameters.get("error_description", ""))
            return Failure(self.url, ": ".join(printable(text) for text in texts if text), parameters["error"])
        return parameters.get("code") or Failure(self.url, "the redirect has no code")


async def _receive(connection: h11.Connection, stream: SocketStream) -> h11.Request | None:
    """Return the request on a connection, or None if it is not one."""
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await stream.receive())
        else:
            return event if isinstance(event, h11.Request) else None


async def _send(connection: h11.Connection, stream: SocketStream, status: int, text: str) -> None:
    body = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Login</title><p>{text}</p></html>'.encode()
    headers = [
        ("Content-Type", "text/html; charset=utf-8"),
        ("Content-Length", str(len(body))),
        ("Content-Security-Policy", "default-src 'none'"),
        ("Cache-Control", "no-store"),
        ("Referrer-Policy", "no-referrer"),
        ("Connection", "close"),
    ]
    for event in (h11.Response(status_code=status, headers=headers), h11.Data(data=body), h11.EndOfMessage()):
        await stream.send(connection.send(event) or b"")
