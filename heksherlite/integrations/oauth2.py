"""OAuth2 client credentials for httpx, configured from facts. Requires ``heksherlite[oauth2]``."""

from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from typing import Any, Final, Self, TypeGuard

import anyio
import httpx
import orjson
from authlib.oauth2.auth import ClientAuth
from authlib.oauth2.rfc6749 import OAuth2Token
from authlib.oauth2.rfc6749.parameters import prepare_token_request

from heksherlite.errors import DemandError, FactsShapeError, FaktsError
from heksherlite.grants.event_loops import in_event_loop, run_from_sync
from heksherlite.grants.facts import describe_type
from heksherlite.grants.loader import Fakts, get_current_fakts
from heksherlite.grants.loading import Loaded, SharedLoad
from heksherlite.http.construction import checked_http_client_args
from heksherlite.http.endpoint_client import REQUEST_ERRORS, request_error_reason
from heksherlite.http.urls import http_url, printable, shown_url
from heksherlite.secret import Secret

_TIMEOUT: Final = 10


class OAuth2Auth(httpx.Auth):
    """Authenticates httpx requests with an access token, which it requests, caches and renews before it expires.

    Any number of clients, tasks and threads can share it. A request with the response 401 is sent once more with a new
    token.

    Args:
        token_url: The URL of the token endpoint.
        client_id: The client ID.
        client_secret: The client secret. White space around it is ignored. It is never displayed.
        scopes: The scopes to request.
        leeway: The number of seconds before its expiry at which a token is renewed.
        http_client_args: Arguments for the :class:`httpx.AsyncClient` that requests tokens, such as ``verify``.

    Raises:
        ValueError: If ``token_url`` is not an HTTP URL, or a header cannot be sent.
    """

    def __init__(
        self,
        token_url: str,
        client_id: str,
        client_secret: str,
        *,
        scopes: Sequence[str] = (),
        leeway: int = 60,
        http_client_args: Mapping[str, Any] | None = None,
    ) -> None:
        self._token_url: Final = http_url(token_url)
        self._client_id: Final = client_id.strip()
        self._client_secret: Final = Secret(client_secret.strip())
        self._scopes: Final = tuple(scopes)
        self._leeway: Final = leeway
        self._http_client_args: Final = checked_http_client_args(http_client_args)
        self._shared: Final = SharedLoad(self._fetch)

    def __repr__(self) -> str:
        return f"<OAuth2Auth of {self._client_id!r} at {shown_url(self._token_url)}>"

    @classmethod
    async def afrom_fakts(cls, fakts: Fakts | None = None, *, group: str = "oauth2", **options: Any) -> Self:
        """Return an instance that is configured by a group of the facts.

        Args:
            fakts: The loader. The default is the current one, see :func:`~heksherlite.grants.get_current_fakts`.
            group: The path of the group. It must have ``client_id``, ``client_secret`` and ``token_url``, or
                ``base_url`` if the token endpoint is ``token/`` below it. It may have ``scopes``.
            options: Further keyword arguments of the class.

        Raises:
            FactsShapeError: If the group is malformed. The error lists every offending key.
            FaktsError: If the facts cannot be loaded, or the group does not exist.
        """
        return cls(**_read_arguments(await (fakts or get_current_fakts()).aget(group), group), **options)

    @classmethod
    def from_fakts(cls, fakts: Fakts | None = None, *, group: str = "oauth2", **options: Any) -> Self:
        """Return an instance in synchronous code, otherwise as :meth:`afrom_fakts` does."""
        return cls(**_read_arguments((fakts or get_current_fakts()).get(group), group), **options)

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Authenticate a request of an asynchronous client.

        Raises:
            DemandError: If the token endpoint grants no token.
        """
        loaded = self._cached() or await self._renew(self._shared.loaded)
        response = yield _authenticate(request, loaded)
        if response.status_code == 401:
            yield _authenticate(request, await self._renew(loaded))

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Authenticate a request of a synchronous client.

        Raises:
            DemandError: If the token endpoint grants no token.
            FaktsError: If a token has to be requested in the thread of an event loop.
        """
        loaded = self._cached() or self._renew_from_sync(self._shared.loaded)
        response = yield _authenticate(request, loaded)
        if response.status_code == 401:
            yield _authenticate(request, self._renew_from_sync(loaded))

    def _cached(self) -> Loaded[OAuth2Token] | None:
        loaded = self._shared.loaded
        return None if loaded is None or loaded.value.is_expired(self._leeway) else loaded

    async def _renew(self, before: Loaded[OAuth2Token] | None) -> Loaded[OAuth2Token]:
        return await self._shared.get(newer_than=0 if before is None else before.refreshes)

    def _renew_from_sync(self, before: Loaded[OAuth2Token] | None) -> Loaded[OAuth2Token]:
        if in_event_loop():
            raise FaktsError("requesting a token would block the event loop of this thread: use httpx.AsyncClient")
        return run_from_sync(lambda: self._renew(before))

    async def _fetch(self, _: object) -> OAuth2Token:
        # Raised here and not below, where the secret and the token are local variables.
        outcome = await self._request_token()
        if isinstance(outcome, OAuth2Token):
            return outcome
        raise DemandError(shown_url(self._token_url), outcome)

    async def _request_token(self) -> OAuth2Token | str:
        """Return a token, or the reason why there is none."""
        scopes = {"scope": " ".join(self._scopes)} if self._scopes else {}
        body: str = prepare_token_request("client_credentials", **scopes)
        form = {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded;charset=UTF-8"}
        client_auth = ClientAuth(self._client_id, self._client_secret.reveal(), "client_secret_basic")
        url, headers, content = client_auth.prepare("POST", self._token_url, form, body)  # type: ignore[no-untyped-call]
        try:
            with anyio.fail_after(_TIMEOUT):
                async with httpx.AsyncClient(**{**self._http_client_args, "follow_redirects": False}) as http:
                    return self._read_response(await http.post(url, headers=headers, content=content))
        except REQUEST_ERRORS as failure:
            return request_error_reason(failure, _TIMEOUT)

    def _read_response(self, response: httpx.Response) -> OAuth2Token | str:
        try:
            body = orjson.loads(response.content)
        except orjson.JSONDecodeError:
            body = None
        members = body if isinstance(body, dict) else {}
        token = members.get("access_token")
        if response.status_code == 200 and _is_token(token):
            if str(members.get("token_type", "bearer")).lower() != "bearer":
                return "the token is not a bearer token"
            seconds = members.get("expires_in")
            expires = {"expires_in": seconds} if isinstance(seconds, int) and seconds > 0 else {}
            return OAuth2Token({"access_token": token, **expires})
        texts = (members.get("error"), members.get("error_description"))
        said = [printable(text) for text in texts if isinstance(text, str)]
        reason = ": ".join([f"no access token in the response, status {response.status_code}", *said])
        return self._client_secret.mask(reason)


def _is_token(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and value.isascii() and value.isprintable() and value != ""


def _authenticate(request: httpx.Request, loaded: Loaded[OAuth2Token]) -> httpx.Request:
    request.headers["Authorization"] = f"Bearer {loaded.value['access_token']}"
    return request


def _read_arguments(facts: object, group: str) -> dict[str, Any]:
    """Return the arguments of `OAuth2Auth` in a group.

    Raises:
        FactsShapeError: If the group is malformed.
    """
    if not isinstance(facts, Mapping):
        raise FactsShapeError(group, {group: f"expected a mapping, not {describe_type(facts)}"})
    problems = {
        key: f"expected a string, not {describe_type(facts.get(key))}"
        for key in ("client_id", "client_secret")
        if not isinstance(facts.get(key), str)
    }
    base_url = facts.get("base_url")
    token_url = facts.get("token_url") or (f"{base_url.rstrip('/')}/token/" if isinstance(base_url, str) else None)
    try:
        http_url(token_url if isinstance(token_url, str) else "")
    except ValueError as error:
        problems["token_url"] = str(error)
    scopes = facts.get("scopes") or []
    scopes = scopes.split() if isinstance(scopes, str) else scopes
    if not isinstance(scopes, list) or not all(isinstance(scope, str) for scope in scopes):
        problems["scopes"] = "expected a list of strings"
    if problems:
        raise FactsShapeError(group, problems)
    credentials = {"client_id": facts["client_id"], "client_secret": facts["client_secret"]}
    return {"token_url": token_url, "scopes": scopes, **credentials}
