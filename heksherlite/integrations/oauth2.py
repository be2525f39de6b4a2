"""OAuth2 for httpx: access tokens by client credentials, configured from facts. Needs ``heksherlite[oauth2]``."""

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
from heksherlite.grants.facts import kind
from heksherlite.grants.loader import Fakts, get_current_fakts
from heksherlite.grants.loading import Loaded, SharedLoad
from heksherlite.http.session import FAILURES, reason_of
from heksherlite.http.urls import http_url, printable, shown_url
from heksherlite.secret import Secret

_SECONDS: Final = 10


class OAuth2Auth(httpx.Auth):
    """Signs requests of httpx with an access token, which it fetches, keeps, and renews before it expires.

    It works for any number of clients, tasks and threads at once, which share a token. A request that is answered with
    401 is sent once more with a new one.

    Args:
        token_url: Where access tokens are.
        client_id: Who the application is.
        client_secret: How it proves that. It is never shown.
        scopes: What it wants to be allowed.
        leeway: How many seconds before a token expires it is renewed.
        http_client_args: Arguments for the :class:`httpx.AsyncClient` that fetches tokens, such as ``verify``.

    Raises:
        ValueError: If ``token_url`` is not an HTTP URL.
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
        self._client_id: Final = client_id
        self._client_secret: Final = Secret(client_secret)
        self._scopes: Final = tuple(scopes)
        self._leeway: Final = leeway
        self._http_client_args: Final = dict(http_client_args or {})
        self._shared: Final = SharedLoad(self._fetch)

    def __repr__(self) -> str:
        return f"<OAuth2Auth of {self._client_id!r} at {shown_url(self._token_url)}>"

    @classmethod
    async def afrom_fakts(cls, fakts: Fakts | None = None, *, group: str = "oauth2", **options: Any) -> Self:
        """Return one as a group of the facts says.

        Args:
            fakts: The loader; by default the one whose ``with`` block the code is in.
            group: The group with ``token_url`` (or ``base_url``, which ``token/`` is below), ``client_id``,
                ``client_secret``, and perhaps ``scopes``.
            options: Further keyword arguments.

        Raises:
            FactsShapeError: If the group is not as it should be; it lists every offending key.
            FaktsError: If the facts cannot be loaded, or do not have the group.
        """
        return cls(**_arguments(await (fakts or get_current_fakts()).aget(group), group), **options)

    @classmethod
    def from_fakts(cls, fakts: Fakts | None = None, *, group: str = "oauth2", **options: Any) -> Self:
        """Return one as :meth:`afrom_fakts` does, in synchronous code."""
        return cls(**_arguments((fakts or get_current_fakts()).get(group), group), **options)

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Sign a request of an asynchronous client.

        Raises:
            DemandError: If there is no token.
        """
        loaded = self._kept() or await self._renewed(self._shared.loaded)
        response = yield _signed(request, loaded)
        if response.status_code == 401:
            yield _signed(request, await self._renewed(loaded))

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Sign a request of a synchronous client.

        Raises:
            DemandError: If there is no token.
            FaktsError: If a token has to be fetched in the thread of an event loop.
        """
        loaded = self._kept() or self._renewed_from_sync(self._shared.loaded)
        response = yield _signed(request, loaded)
        if response.status_code == 401:
            yield _signed(request, self._renewed_from_sync(loaded))

    def _kept(self) -> Loaded[OAuth2Token] | None:
        loaded = self._shared.loaded
        return None if loaded is None or loaded.value.is_expired(self._leeway) else loaded

    async def _renewed(self, before: Loaded[OAuth2Token] | None) -> Loaded[OAuth2Token]:
        return await self._shared.wanted(newer_than=0 if before is None else before.refreshes)

    def _renewed_from_sync(self, before: Loaded[OAuth2Token] | None) -> Loaded[OAuth2Token]:
        if in_event_loop():
            raise FaktsError("to fetch a token in the thread of an event loop would block it: use httpx.AsyncClient")
        return run_from_sync(lambda: self._renewed(before))

    async def _fetch(self, _: bool) -> OAuth2Token:
        # Raised here and not below, where the secret and the token are among the local variables.
        token = await self._ask()
        if isinstance(token, OAuth2Token):
            return token
        raise DemandError(shown_url(self._token_url), token)

    async def _ask(self) -> OAuth2Token | str:
        """Return a token, or why there is none."""
        scopes = {"scope": " ".join(self._scopes)} if self._scopes else {}
        body: str = prepare_token_request("client_credentials", **scopes)
        form = {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded;charset=UTF-8"}
        signed = ClientAuth(self._client_id, self._client_secret.reveal(), "client_secret_basic")
        url, headers, content = signed.prepare("POST", self._token_url, form, body)  # type: ignore[no-untyped-call]
        try:
            with anyio.fail_after(_SECONDS):
                async with httpx.AsyncClient(**{**self._http_client_args, "follow_redirects": False}) as http:
                    return self._read(await http.post(url, headers=headers, content=content))
        except FAILURES as failure:
            return reason_of(failure, _SECONDS)

    def _read(self, response: httpx.Response) -> OAuth2Token | str:
        try:
            answer = orjson.loads(response.content)
        except orjson.JSONDecodeError:
            answer = None
        members = answer if isinstance(answer, dict) else {}
        token = members.get("access_token")
        if response.status_code == 200 and _is_token(token):
            if str(members.get("token_type", "bearer")).lower() != "bearer":
                return "the token is not a bearer token"
            seconds = members.get("expires_in")
            expires = {"expires_in": seconds} if isinstance(seconds, int) and seconds > 0 else {}
            return OAuth2Token({"access_token": token, **expires})
        texts = (members.get("error"), members.get("error_description"))
        said = [printable(text) for text in texts if isinstance(text, str)]
        reason = ": ".join([f"no access token, but status {response.status_code}", *said])
        return self._client_secret.masked(reason)


def _is_token(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and value.isascii() and value.isprintable() and value != ""


def _signed(request: httpx.Request, loaded: Loaded[OAuth2Token]) -> httpx.Request:
    request.headers["Authorization"] = f"Bearer {loaded.value['access_token']}"
    return request


def _arguments(facts: object, group: str) -> dict[str, Any]:
    """Return the arguments that a group stands for.

    Raises:
        FactsShapeError: If it is not as it should be.
    """
    if not isinstance(facts, Mapping):
        raise FactsShapeError(group, {group: f"a mapping was expected, not {kind(facts)}"})
    problems = {
        key: f"a string was expected, not {kind(facts.get(key))}"
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
        problems["scopes"] = "several strings were expected"
    if problems:
        raise FactsShapeError(group, problems)
    credentials = {"client_id": facts["client_id"], "client_secret": facts["client_secret"]}
    return {"token_url": token_url, "scopes": scopes, **credentials}
