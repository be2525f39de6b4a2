"""The authentication of requests by access tokens."""

import os
from collections.abc import AsyncGenerator, Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import anyio.to_thread
import httpx
from authlib.oauth2.rfc6749 import OAuth2Token

from heksherlite.errors import DemandError, FactsShapeError, FaktsError
from heksherlite.grants.event_loops import in_event_loop, run_from_sync
from heksherlite.grants.facts import describe_type
from heksherlite.grants.loader import Fakts, get_current_fakts
from heksherlite.grants.loading import Loaded, SharedLoad
from heksherlite.http.construction import checked_http_client_args
from heksherlite.http.urls import shown_url
from heksherlite.integrations.oauth2 import authorization_code, device_authorization
from heksherlite.integrations.oauth2.configuration import (
    ConfigurationError,
    GrantType,
    OAuth2Configuration,
    read_configuration,
)
from heksherlite.integrations.oauth2.logins import LoginOptions, OAuth2Login, print_instructions
from heksherlite.integrations.oauth2.token_client import Failure, TokenClient
from heksherlite.integrations.oauth2.token_file import token_file as open_token_file

_OUT_OF_DATE: Final = ("invalid_client", "invalid_grant", "unauthorized_client")
"""The error codes that may mean that the facts have changed."""


@dataclass(frozen=True, slots=True)
class _Source:
    """Facts that configure a client."""

    fakts: Fakts
    group: str

    async def read(self) -> OAuth2Configuration:
        """Return the current configuration."""
        return read_group(await self.fakts.aget(self.group), self.group)


class OAuth2Auth(httpx.Auth):
    """Authenticates httpx requests with an access token, which it requests, caches and renews before it expires.

    Any number of clients, tasks and threads can share it. A request with the response 401 is sent once more with a new
    token. For libraries other than httpx, :meth:`aget_token` and :meth:`get_token` return the token.

    Args:
        token_url: The URL of the token endpoint. It can be omitted if ``issuer`` is given.
        client_id: The client ID.
        client_secret: The client secret, or ``None`` for a public client. White space around it is ignored. It is never
            displayed.
        grant_type: How to get a token: ``client_credentials``, ``authorization_code`` (a person logs in in a browser on
            this machine, with PKCE), ``device_code`` (a person logs in on any device, RFC 8628) or ``refresh_token``.
        issuer: The URL of the authorization server, whose metadata (RFC 8414, or OpenID Connect) has the URLs.
        authorization_url: The URL of the authorization endpoint, if there is no ``issuer``.
        device_authorization_url: The URL of the device authorization endpoint, if there is no ``issuer``.
        redirect_uri: The URL on this machine to which an authorization code is sent. Without a port, a free one is
            used.
        refresh_token: A refresh token that the program has beforehand. It is never displayed.
        scopes: The scopes to request.
        audience: The service that the token is for, if the authorization server asks for it.
        parameters: Further parameters of all requests to the authorization server.
        token_file: The path of a file that keeps the token for later starts, so that no person has to log in again. It
            is private to the user. A token for another client, grant type, audience or set of scopes is ignored.
        tell: Called with an :class:`OAuth2Login` if a person has to log in. The default prints to the standard error
            stream.
        open_browser: Whether to open the page for the person in a browser.
        timeout: The time limit for the person, in seconds.
        leeway: The number of seconds before its expiry at which a token is renewed.
        http_client_args: Arguments for the :class:`httpx.AsyncClient` that requests tokens, such as ``verify``.

    Raises:
        ValueError: If an argument is missing or malformed, the grant type is unknown, or a header cannot be sent.
    """

    def __init__(
        self,
        token_url: str | None,
        client_id: str,
        client_secret: str | None = None,
        *,
        grant_type: str = GrantType.CLIENT_CREDENTIALS,
        issuer: str | None = None,
        authorization_url: str | None = None,
        device_authorization_url: str | None = None,
        redirect_uri: str | None = None,
        refresh_token: str | None = None,
        scopes: Sequence[str] = (),
        audience: str | None = None,
        parameters: Mapping[str, str] | None = None,
        token_file: str | os.PathLike[str] | None = None,
        tell: Callable[[OAuth2Login], object] = print_instructions,
        open_browser: bool = True,
        timeout: float = 300,
        leeway: int = 60,
        http_client_args: Mapping[str, Any] | None = None,
    ) -> None:
        members = {
            "token_url": token_url,
            "client_id": client_id,
            "client_secret": client_secret,
            "grant_type": grant_type,
            "issuer": issuer,
            "authorization_url": authorization_url,
            "device_authorization_url": device_authorization_url,
            "redirect_uri": redirect_uri,
            "refresh_token": refresh_token,
            "scopes": scopes,
            "audience": audience,
            "parameters": parameters,
        }
        self._set_up(
            read_configuration(members),
            None,
            token_file=token_file,
            tell=tell,
            open_browser=open_browser,
            timeout=timeout,
            leeway=leeway,
            http_client_args=http_client_args,
        )

    def _set_up(
        self,
        configuration: OAuth2Configuration,
        source: _Source | None,
        *,
        token_file: str | os.PathLike[str] | None = None,
        tell: Callable[[OAuth2Login], object] = print_instructions,
        open_browser: bool = True,
        timeout: float = 300,
        leeway: int = 60,
        http_client_args: Mapping[str, Any] | None = None,
    ) -> None:
        self._http_client_args: Mapping[str, Any] = checked_http_client_args(http_client_args)
        self._client = TokenClient(configuration, self._http_client_args)
        self._source = source
        self._leeway = leeway
        self._login = LoginOptions(tell, open_browser, timeout)
        self._file = open_token_file(token_file)
        self._shared: SharedLoad[OAuth2Token] = SharedLoad(self._fetch)

    def __repr__(self) -> str:
        configuration = self._client.configuration
        server = shown_url(configuration.token_url or configuration.issuer or "")
        return f"<OAuth2Auth of {configuration.client_id!r} at {server}>"

    @classmethod
    async def afrom_fakts(cls, fakts: Fakts | None = None, *, group: str = "oauth2", **options: Any) -> Self:
        """Return an instance that is configured by a group of the facts.

        Each new token is requested with the current facts. If the authorization server refuses them with
        ``invalid_client`` or ``invalid_grant``, the facts are loaded again once, and the request is repeated.

        Args:
            fakts: The loader. The default is the current one, see :func:`~heksherlite.grants.get_current_fakts`.
            group: The path of the group. Its keys are arguments of the class: ``client_id``, ``client_secret``,
                ``grant_type``, ``issuer``, ``token_url`` and so on. With ``base_url``, the endpoints are ``token/``,
                ``authorize/`` and ``device_authorization`` below it.
            options: The arguments ``token_file``, ``tell``, ``open_browser``, ``timeout``, ``leeway`` and
                ``http_client_args`` of the class.

        Raises:
            FactsShapeError: If the group is malformed. The error lists every offending key.
            FaktsError: If the facts cannot be loaded, or the group does not exist.
        """
        source = _Source(fakts or get_current_fakts(), group)
        return cls._configured(await source.read(), source, options)

    @classmethod
    def from_fakts(cls, fakts: Fakts | None = None, *, group: str = "oauth2", **options: Any) -> Self:
        """Return an instance in synchronous code, otherwise as :meth:`afrom_fakts` does."""
        source = _Source(fakts or get_current_fakts(), group)
        return cls._configured(read_group(source.fakts.get(group), group), source, options)

    @classmethod
    def _configured(cls, configuration: OAuth2Configuration, source: _Source, options: Mapping[str, Any]) -> Self:
        auth = cls.__new__(cls)
        auth._set_up(configuration, source, **options)
        return auth

    async def aget_token(self, *, renew: bool = False) -> str:
        """Return an access token, for libraries other than httpx.

        Args:
            renew: Whether to request a new token although the current one has not expired, for example because a
                service rejected it.

        Raises:
            DemandError: If the authorization server grants no token.
            FaktsError: If the facts cannot be loaded.
        """
        loaded = None if renew else self._cached()
        return _text_of(loaded or await self._renew(self._shared.loaded))

    def get_token(self, *, renew: bool = False) -> str:
        """Return an access token in synchronous code, otherwise as :meth:`aget_token` does.

        Raises:
            FaktsError: As for :meth:`aget_token`, and if a token has to be requested in the thread of an event loop.
        """
        loaded = None if renew else self._cached()
        return _text_of(loaded or self._renew_from_sync(self._shared.loaded))

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
        outcome = await self._get_new_token()
        if isinstance(outcome, Failure) and outcome.code in _OUT_OF_DATE and self._source is not None:
            await self._source.fakts.arefresh()
            outcome = await self._get_new_token()
        # Raised here and not below, where secrets are local variables.
        if isinstance(outcome, Failure):
            raise DemandError(outcome.url, outcome.reason)
        return outcome

    async def _get_new_token(self) -> OAuth2Token | Failure:
        if self._source is not None:
            configuration = await self._source.read()
            if configuration != self._client.configuration:
                self._client = TokenClient(configuration, self._http_client_args)
        identity = self._client.configuration.identity
        last = None if self._shared.loaded is None else self._shared.loaded.value
        stored = None if self._file is None else await anyio.to_thread.run_sync(self._file.read, identity)
        # Another process may have renewed the token in the file.
        if stored is not None and not stored.is_expired(self._leeway) and stored != last:
            return stored
        outcome = await self._refresh(stored or last) or await self._demand()
        if isinstance(outcome, OAuth2Token) and self._file is not None:
            await anyio.to_thread.run_sync(self._file.write, identity, outcome)
        return outcome

    async def _refresh(self, last: OAuth2Token | None) -> OAuth2Token | Failure | None:
        """Return a token for a refresh token, or None if a person has to log in again."""
        configuration = self._client.configuration
        if configuration.grant_type is GrantType.CLIENT_CREDENTIALS:
            return None
        given = configuration.refresh_token
        candidates = [
            *([] if last is None else [last.get("refresh_token")]),
            *([] if given is None else [given.reveal()]),
        ]
        outcome: OAuth2Token | Failure | None = None
        for refresh_token in dict.fromkeys(str(candidate) for candidate in candidates if candidate):
            outcome = await self._client.request_token(GrantType.REFRESH_TOKEN, refresh_token=refresh_token)
            if isinstance(outcome, OAuth2Token):
                return OAuth2Token({"refresh_token": refresh_token, **outcome})
            if outcome.code != "invalid_grant":
                return outcome
        return outcome if configuration.grant_type is GrantType.REFRESH_TOKEN else None

    async def _demand(self) -> OAuth2Token | Failure:
        match self._client.configuration.grant_type:
            case GrantType.AUTHORIZATION_CODE:
                return await authorization_code.log_in(self._client, self._login)
            case GrantType.DEVICE_CODE:
                return await device_authorization.log_in(self._client, self._login)
            case _:
                return await self._client.request_token(GrantType.CLIENT_CREDENTIALS)


def read_group(facts: object, group: str) -> OAuth2Configuration:
    """Return the configuration in a group of the facts.

    Raises:
        FactsShapeError: If the group is malformed. The error lists every offending key.
    """
    if not isinstance(facts, Mapping):
        raise FactsShapeError(group, {group: f"expected a mapping, not {describe_type(facts)}"})
    try:
        return read_configuration(facts)
    except ConfigurationError as error:
        problems = error.problems
    raise FactsShapeError(group, problems)


def _authenticate(request: httpx.Request, loaded: Loaded[OAuth2Token]) -> httpx.Request:
    request.headers["Authorization"] = f"Bearer {_text_of(loaded)}"
    return request


def _text_of(loaded: Loaded[OAuth2Token]) -> str:
    return str(loaded.value["access_token"])
