"""The remote grant that a person approves on a page of the endpoint."""

import secrets
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from math import ceil
from typing import Any, Final

import anyio

from heksherlite.errors import DemandError
from heksherlite.grants.grant import LoadRequest
from heksherlite.grants.remote.browser import open_page
from heksherlite.grants.remote.claims import TEMPORARY_STATUSES, is_refusal, read_granted
from heksherlite.grants.remote.demanding import DemandingGrant
from heksherlite.grants.remote.holders import Holder, approve_again
from heksherlite.grants.remote.messages import (
    Endpoint,
    InvalidResponseError,
    Manifest,
    read_code,
    read_device_code,
    read_status,
    read_token,
)
from heksherlite.http.endpoint_client import EndpointClient, EndpointResponse, describe_status
from heksherlite.http.urls import shown_url
from heksherlite.secret import Secret

_UNDECIDED: Final = ("waiting", "pending")
_ENDED: Final = {"denied": "access was denied", "expired": "the code has expired"}
_RESPONSE_TIMEOUT: Final = 10
"""In seconds."""

_CALL_MISSING: Final = (404, 405, 501)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceLogin:
    """What a person needs to approve an application.

    Attributes:
        identifier: The identifier of the application.
        page: The URL of the page to open.
        code: The code that the page displays, so that the person can compare.
        timeout: The time limit for the approval, in seconds.
    """

    identifier: str
    page: str = field(repr=False)
    code: str = field(repr=False)
    timeout: float


def print_instructions(login: DeviceLogin) -> None:
    """Print the instructions on the standard error stream."""
    sys.stderr.write(
        f"To give {login.identifier} its configuration, open\n\n    {login.page}\n\n"
        f"and approve it within {login.timeout:g} seconds if the page displays the code {login.code}.\n"
    )


@dataclass(slots=True, kw_only=True, eq=False)
class DeviceCodeGrant(DemandingGrant):
    """The facts that an endpoint has for an application that a person approves on a page.

    Args:
        manifest: The application.
        discovery: How to find the endpoint.
        timeout: The time limit for the approval, in seconds.
        open_browser: Whether to open the page in a browser.
        tell: Called with a :class:`DeviceLogin` to instruct the person. The default prints to the standard error
            stream.
        poll_interval: The time between polls in seconds. It is longer if the endpoint sends ``Retry-After``.
        token_store: Where to keep the token for the next start of the program, and the facts for when the endpoint is
            away then: by default, in files that only the user can read. ``None`` keeps both in memory only.
        http_client_args: Arguments for :class:`httpx.AsyncClient`, such as ``verify``.
        ssl_context: The TLS context of HTTPS requests, instead of ``verify``.
    """

    manifest: Manifest
    timeout: float = 60
    open_browser: bool = True
    tell: Callable[[DeviceLogin], object] = field(default=print_instructions, repr=False)
    poll_interval: float = 1

    def _holder(self) -> Holder:
        return Holder(self.manifest.identifier, approve_again)

    async def _demand(self, endpoint: Endpoint, http: EndpointClient, request: LoadRequest) -> Secret:
        if not request.may_ask:
            reason = "a person has to approve, and this load may not ask: start the program again, or call refresh()"
            raise DemandError(shown_url(endpoint.base_url), reason)
        codes = await self._start(endpoint, http)
        manifest = None
        if codes is None:
            codes, manifest = _Codes(secrets.token_hex(3)), self.manifest
        page = endpoint.page(codes.user_code, manifest)
        login = DeviceLogin(identifier=self.manifest.identifier, page=page, code=codes.user_code, timeout=self.timeout)
        self.tell(login)
        if self.open_browser:
            open_page(page)
        return await self._wait(endpoint, http, codes)

    async def _start(self, endpoint: Endpoint, http: EndpointClient) -> "_Codes | None":
        """Return the codes of the endpoint, or ``None`` if the application has to generate one."""
        body = {"manifest": self.manifest.body(), "expiration_time": ceil(self.timeout)}
        response = await http.send("POST", endpoint.url("start"), body, error=DemandError)
        if response.status in _CALL_MISSING:
            return None
        try:
            granted = read_granted(response)
            return _Codes(read_code(granted), read_device_code(granted))
        except InvalidResponseError as error:
            failure = DemandError(response.url, str(error))
            failure.refused = is_refusal(response)
            raise failure from None

    async def _wait(self, endpoint: Endpoint, http: EndpointClient, codes: "_Codes") -> Secret:
        problem = ""
        with anyio.move_on_after(self.timeout):
            while True:
                decision = await _poll(endpoint, http, codes)
                if isinstance(decision, Secret):
                    return decision
                problem = decision.problem
                await anyio.sleep(max(self.poll_interval, decision.retry_after))
        reason = f"nobody approved or denied within {self.timeout:g} s{problem and '; last problem: ' + problem}"
        failure = DemandError(shown_url(endpoint.base_url), reason)
        failure.refused = True  # the person must not be asked again and again
        raise failure


@dataclass(frozen=True, slots=True)
class _Codes:
    """The codes of an approval.

    Attributes:
        user_code: The code that the page displays.
        device_code: The secret that is required to collect the token, or ``None`` at an older endpoint.
    """

    user_code: str = field(repr=False)
    device_code: Secret | None = None

    def body(self) -> dict[str, Any]:
        """Return the body of a poll."""
        secret = {} if self.device_code is None else {"device_code": self.device_code}
        return {"code": self.user_code, **secret}

    def mask(self, text: str) -> str:
        """Return a text without the codes in it."""
        text = Secret(self.user_code).mask(text)
        return text if self.device_code is None else self.device_code.mask(text)


@dataclass(frozen=True, slots=True)
class _Undecided:
    """The person has not decided yet.

    Attributes:
        problem: A temporary problem with the endpoint, or an empty string.
        retry_after: The number of seconds to wait before the next poll.
    """

    problem: str = ""
    retry_after: float = 0


async def _poll(endpoint: Endpoint, http: EndpointClient, codes: _Codes) -> Secret | _Undecided:
    """Return the token if the person has approved.

    Raises:
        DemandError: If the endpoint will never grant a token.
    """
    try:
        response = await http.send("POST", endpoint.url("challenge"), codes.body(), error=DemandError)
    except DemandError as error:
        return _Undecided(error.reason)
    if response.status in TEMPORARY_STATUSES:
        return _Undecided(describe_status(response), response.retry_after)
    try:
        return _read_decision(response) or _Undecided(retry_after=response.retry_after)
    except InvalidResponseError as error:
        failure = DemandError(response.url, codes.mask(str(error)))
        failure.refused = True
        raise failure from None


def _read_decision(response: EndpointResponse) -> Secret | None:
    """Return the token if the person has approved, or ``None`` if the person has not decided yet.

    Raises:
        InvalidResponseError: If the endpoint will never grant a token.
    """
    if response.status == 200:
        status, _ = read_status(response.content)
        if status in _UNDECIDED:
            return None
        if status in _ENDED:
            raise InvalidResponseError(_ENDED[status])
    return read_token(read_granted(response))
