"""Tokens and facts: the steps after discovery, which all remote grants have in common."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from heksherlite.errors import ClaimError, DemandError
from heksherlite.grants.facts import Facts
from heksherlite.grants.layers import Layer, LayeredFacts
from heksherlite.grants.remote.messages import (
    Endpoint,
    GrantedResponse,
    InvalidResponseError,
    read_config,
    read_message,
    read_status,
    read_token,
)
from heksherlite.http.endpoint_client import EndpointClient, EndpointResponse, describe_status
from heksherlite.http.urls import printable, shown_url
from heksherlite.secret import Secret

TEMPORARY_STATUSES: Final = (408, 425, 429, 500, 502, 503, 504)
"""The HTTP statuses after which it helps to try again."""

DemandToken = Callable[[Endpoint, EndpointClient], Awaitable[Secret]]
"""Requests a token from an endpoint."""


class TokenCache:
    """The tokens of a grant by claim URL. They are kept while the program runs.

    Without them, each refresh would ask a person again, or send a one-time token a second time.
    """

    def __init__(self) -> None:
        self._tokens: dict[str, Secret] = {}

    async def claim_facts(self, endpoint: Endpoint, http: EndpointClient, demand: DemandToken) -> Facts:
        """Return the facts for the cached token, or for a new one if there is none or the endpoint rejects it.

        Raises:
            DemandError: If the endpoint grants no token.
            ClaimError: If the endpoint has no facts for the token.
        """
        url = endpoint.url("claim")
        token = self._tokens.get(url)
        if token is not None:
            outcome = await _send_claim(endpoint, http, token)
            if not isinstance(outcome, ClaimError):
                return outcome
            self._tokens.pop(url, None)  # unless a concurrent load removed it
        # Stored before it is used, so that the next load can use it if this claim fails.
        token = self._tokens[url] = await demand(endpoint, http)
        return await claim_facts(endpoint, http, token)


async def claim_facts(endpoint: Endpoint, http: EndpointClient, token: Secret) -> Facts:
    """Return the facts for a token.

    Raises:
        ClaimError: If the endpoint has no facts for it.
    """
    outcome = await _send_claim(endpoint, http, token)
    if isinstance(outcome, ClaimError):
        raise outcome
    return outcome


def require_pinned(endpoint: Endpoint, error: type[DemandError | ClaimError]) -> None:
    """Check that a secret that the program has beforehand may be sent to an endpoint.

    Args:
        endpoint: The endpoint.
        error: The type of the exception to raise.

    Raises:
        RemoteGrantError: If the endpoint was found by a beacon, which anybody can send.
    """
    if not endpoint.is_pinned:
        reason = (
            "the token was not sent, because anybody could have sent the beacon of this endpoint: "
            "pass host= or url= to AdvertisedDiscovery"
        )
        raise error(shown_url(endpoint.base_url), reason)


async def demand_token(http: EndpointClient, url: str, body: Mapping[str, Any], secret: Secret) -> Secret:
    """Return the token that an endpoint grants for a manifest.

    Args:
        http: The client.
        url: The URL of the call.
        body: The body of the request.
        secret: A secret in the body, which is masked in error messages.

    Raises:
        DemandError: If the endpoint grants no token.
    """
    response = await http.send("POST", url, body, error=DemandError)
    try:
        return read_token(read_granted(response))
    except InvalidResponseError as error:
        failure = DemandError(response.url, secret.mask(str(error)))
        failure.refused = is_refusal(response)
        raise failure from None


def is_refusal(response: EndpointResponse) -> bool:
    """Return whether an endpoint refused, so that trying again does not help."""
    if response.status in TEMPORARY_STATUSES:
        return False
    return 400 <= response.status < 500 or _is_error_response(response)


def read_granted(response: EndpointResponse) -> GrantedResponse:
    """Return the body of a response with the status "granted".

    Raises:
        InvalidResponseError: If it is any other response.
    """
    if response.status != 200:
        message = read_message(response.content)
        raise InvalidResponseError(f"{describe_status(response)}{message and ': ' + message}")
    status, body = read_status(response.content)
    if status == "granted":
        return body
    if status == "error":
        raise InvalidResponseError(f"error response: {read_message(response.content) or 'no reason given'}")
    raise InvalidResponseError(f"the response has the unknown status {printable(status)!r}")


async def _send_claim(endpoint: Endpoint, http: EndpointClient, token: Secret) -> Facts | ClaimError:
    """Return the facts, or an error if the endpoint rejects the token. All other errors are raised."""
    response = await http.send("POST", endpoint.url("claim"), {"token": token}, error=ClaimError)
    try:
        facts = read_config(read_granted(response))
        return LayeredFacts([Layer(source=response.url, facts=facts)])
    except InvalidResponseError as error:
        failure = ClaimError(response.url, token.mask(str(error)))
    failure.refused = is_refusal(response)
    if response.status in (401, 403) or _is_error_response(response):
        return failure
    raise failure


def _is_error_response(response: EndpointResponse) -> bool:
    try:
        return response.status == 200 and read_status(response.content)[0] == "error"
    except InvalidResponseError:
        return False
