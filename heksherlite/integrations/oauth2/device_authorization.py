"""The device authorization grant (RFC 8628)."""

from dataclasses import dataclass, field
from typing import Any, Final

import anyio
from authlib.common.urls import add_params_to_qs
from authlib.oauth2.rfc6749 import OAuth2Token

from heksherlite.http.urls import http_url, shown_url
from heksherlite.integrations.oauth2.configuration import GrantType
from heksherlite.integrations.oauth2.logins import LoginOptions
from heksherlite.integrations.oauth2.token_client import Failure, TokenClient, describe_error, read_object

_INTERVAL: Final = 5.0
"""The time between two requests in seconds, unless the server says otherwise."""

_SLOWER: Final = 5.0
"""The time in seconds by which the server asks to slow down."""

_ENDED: Final = {"access_denied": "access was denied", "expired_token": "the code has expired"}


@dataclass(frozen=True, slots=True)
class _Authorization:
    """A login that the server began.

    Attributes:
        device_code: The secret that is required to collect the token.
        user_code: The code for the person.
        page: The page for the person.
        seconds: The time limit.
        interval: The time between two requests.
    """

    device_code: str = field(repr=False)
    user_code: str = field(repr=False)
    page: str = field(repr=False)
    seconds: float
    interval: float


async def log_in(client: TokenClient, options: LoginOptions) -> OAuth2Token | Failure:
    """Return the token of a person who logs in on a page of the authorization server, on any device.

    Args:
        client: The client.
        options: How the person logs in.
    """
    url = await client.endpoint("device_authorization_url")
    if isinstance(url, Failure):
        return url
    configuration = client.configuration
    response = await client.post(url, add_params_to_qs("", list(configuration.request_parameters().items())))
    if isinstance(response, Failure):
        return response
    authorization = _read(read_object(response) or {}) if response.status_code == 200 else None
    if authorization is None:
        reason = configuration.mask(describe_error("no device code in the response", response))
        code = (read_object(response) or {}).get("error")
        return Failure(shown_url(url), reason, code if isinstance(code, str) else "")
    options.begin(configuration.client_id, authorization.page, authorization.user_code)
    seconds = min(options.timeout, authorization.seconds)
    with anyio.move_on_after(seconds):
        return await _poll(client, authorization)
    return Failure(shown_url(url), f"nobody logged in within {seconds:g} s")


async def _poll(client: TokenClient, authorization: _Authorization) -> OAuth2Token | Failure:
    interval = authorization.interval
    while True:
        await anyio.sleep(interval)
        outcome = await client.request_token(GrantType.DEVICE_CODE, device_code=authorization.device_code)
        if isinstance(outcome, OAuth2Token):
            return outcome
        if outcome.code == "slow_down":
            interval += _SLOWER
        elif outcome.code in _ENDED:
            return Failure(outcome.url, _ENDED[outcome.code], outcome.code)
        elif outcome.code and outcome.code != "authorization_pending":
            return outcome
        elif not outcome.code:  # the server cannot be reached, or has an error of its own
            interval *= 2


def _read(members: dict[str, Any]) -> _Authorization | None:
    device_code, user_code = members.get("device_code"), members.get("user_code")
    page = members.get("verification_uri_complete") or members.get("verification_uri")
    if not (isinstance(device_code, str) and isinstance(user_code, str) and isinstance(page, str)):
        return None
    try:
        http_url(page)
    except ValueError:
        return None
    seconds, interval = members.get("expires_in"), members.get("interval", _INTERVAL)
    if not isinstance(seconds, int | float) or not isinstance(interval, int | float):
        return None
    return _Authorization(device_code, user_code, page, seconds, max(interval, 0))
