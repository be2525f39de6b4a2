"""The remote grant with a person, who approves on a page what the application asks for."""

import secrets
import sys
import threading
import webbrowser
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from math import ceil
from typing import Any, Final

import anyio

from heksherlite.errors import DemandError
from heksherlite.grants.facts import Facts
from heksherlite.grants.grant import LoadRequest
from heksherlite.grants.remote.claims import Tokens, granted
from heksherlite.grants.remote.discovery import Discovery
from heksherlite.grants.remote.messages import (
    Endpoint,
    Manifest,
    Unusable,
    read_code,
    read_status,
    read_token,
)
from heksherlite.http.session import Reply, Session, session, status_of
from heksherlite.http.urls import shown_url
from heksherlite.secret import Secret

_UNDECIDED: Final = ("waiting", "pending")
_ENDED: Final = {"denied": "the person denied it", "expired": "the code has expired"}
_NO_SUCH_CALL: Final = (404, 405, 501)
_LATER: Final = (408, 425, 429, 500, 502, 503, 504)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceLogin:
    """What a person has to know to approve.

    Attributes:
        identifier: The application that asks.
        page: The address to open.
        code: What the page shows too, so that the person can compare.
        timeout: After how many seconds it is too late.
    """

    identifier: str
    page: str = field(repr=False)
    code: str = field(repr=False)
    timeout: float


def tell(login: DeviceLogin) -> None:
    """Tell the person at the terminal."""
    sys.stderr.write(
        f"To let {login.identifier} have its configuration, open\n\n    {login.page}\n\n"
        f"and approve it there within {login.timeout:g} seconds, if the page shows the code {login.code}.\n"
    )


@dataclass(slots=True, kw_only=True, eq=False)
class DeviceCodeGrant:
    """The facts that an endpoint has for an application that a person approves on a page.

    Args:
        manifest: Which application asks.
        discovery: Finds the endpoint.
        timeout: Seconds that the person has.
        open_browser: Whether to open the page in a browser.
        tell: Tells the person what to do; called with a :class:`DeviceLogin`. By default it is written to the
            standard error stream.
        poll_interval: Seconds between the questions whether the person has decided; more if the endpoint asks for it
            by ``Retry-After``.
        http_client_args: Arguments for :class:`httpx.AsyncClient`, such as ``verify``.
    """

    manifest: Manifest
    discovery: Discovery
    timeout: float = 60
    open_browser: bool = True
    tell: Callable[[DeviceLogin], object] = field(default=tell, repr=False)
    poll_interval: float = 1
    http_client_args: Mapping[str, Any] | None = field(default=None, repr=False)
    _tokens: Tokens = field(default_factory=Tokens, init=False, repr=False)

    async def aload(self, request: LoadRequest) -> Facts:  # noqa: ARG002 - an endpoint is always fresh
        """Return the facts. Later loads by this grant ask the person only if what was approved is no longer.

        Raises:
            DiscoveryError: If there is no endpoint.
            DemandError: If the person denies, or does not decide in time.
            ClaimError: If there are no facts for what the person approved.
        """
        endpoint = await self.discovery.adiscover()
        async with session(self.http_client_args, 10) as http:
            return await self._tokens.claim(endpoint, http, self._demand)

    async def _demand(self, endpoint: Endpoint, http: Session) -> Secret:
        code = await self._start(endpoint, http)
        manifest = None
        if code is None:
            code, manifest = secrets.token_hex(3), self.manifest
        page = endpoint.page(code, manifest)
        self.tell(DeviceLogin(identifier=self.manifest.identifier, page=page, code=code, timeout=self.timeout))
        if self.open_browser:
            # Not a worker thread of the event loop, which would wait for browsers that run in the terminal.
            threading.Thread(target=_open, args=(page,), name="heksherlite browser", daemon=True).start()
        return await self._wait(endpoint, http, Secret(code))

    async def _start(self, endpoint: Endpoint, http: Session) -> str | None:
        """Return the endpoint's code; ``None`` if it is one that leaves that to the application."""
        body = {"manifest": self.manifest.body(), "expiration_time": ceil(self.timeout)}
        reply = await http.ask("POST", endpoint.url("start"), body, error=DemandError)
        if reply.status in _NO_SUCH_CALL:
            return None
        try:
            return read_code(granted(reply))
        except Unusable as error:
            raise DemandError(reply.url, str(error)) from None

    async def _wait(self, endpoint: Endpoint, http: Session, code: Secret) -> Secret:
        trouble = ""
        with anyio.move_on_after(self.timeout):
            while True:
                decision = await _challenge(endpoint, http, code)
                if isinstance(decision, Secret):
                    return decision
                trouble = decision.trouble
                await anyio.sleep(max(self.poll_interval, decision.retry_after))
        reason = f"nobody decided within {self.timeout:g} s{trouble and '; the last time, ' + trouble}"
        raise DemandError(shown_url(endpoint.base_url), reason)


@dataclass(frozen=True, slots=True)
class _Undecided:
    """The person has not decided yet.

    Attributes:
        trouble: What goes wrong, but may pass.
        retry_after: For how many seconds the endpoint does not want to be asked.
    """

    trouble: str = ""
    retry_after: float = 0


async def _challenge(endpoint: Endpoint, http: Session, code: Secret) -> Secret | _Undecided:
    """Return the token if the person has approved.

    Raises:
        DemandError: If there will be no token.
    """
    try:
        reply = await http.ask("POST", endpoint.url("challenge"), {"code": code}, error=DemandError)
    except DemandError as error:
        return _Undecided(error.reason)
    if reply.status in _LATER:
        return _Undecided(status_of(reply), reply.retry_after)
    try:
        return _decision(reply) or _Undecided(retry_after=reply.retry_after)
    except Unusable as error:
        raise DemandError(reply.url, code.masked(str(error))) from None


def _decision(reply: Reply) -> Secret | None:
    """Return the token if the person has approved, and ``None`` if there is no decision yet.

    Raises:
        Unusable: If there will be none.
    """
    if reply.status == 200:
        status, _ = read_status(reply.content)
        if status in _UNDECIDED:
            return None
        if status in _ENDED:
            raise Unusable(_ENDED[status])
    return read_token(granted(reply))


def _open(page: str) -> None:
    with suppress(webbrowser.Error):  # there is none, and the person was told the address
        webbrowser.open(page)
