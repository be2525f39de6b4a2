"""Tokens and facts: the steps after discovery, which all remote grants have in common."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, TypeVar

from heksherlite.errors import ClaimError, DemandError, DiscoveryError
from heksherlite.grants.grant import LoadRequest
from heksherlite.grants.layers import Layer, LayeredFacts
from heksherlite.grants.remote.configuration_watch import configuration_watch
from heksherlite.grants.remote.discovery import Discovery
from heksherlite.grants.remote.holders import Holder
from heksherlite.grants.remote.kept import KeptFacts, KeptTokens, log_rejection
from heksherlite.grants.remote.messages import (
    Endpoint,
    GrantedResponse,
    InvalidResponseError,
    read_config,
    read_expiry,
    read_message,
    read_secret_paths,
    read_status,
    read_token,
)
from heksherlite.grants.remote.token_stores import TokenStore
from heksherlite.http.endpoint_client import EndpointClient, EndpointResponse, describe_status, endpoint_client
from heksherlite.http.pinned_certificates import context_that_trusts
from heksherlite.http.urls import printable, shown_url
from heksherlite.secret import Secret

E = TypeVar("E", DemandError, ClaimError)

TEMPORARY_STATUSES: Final = (408, 425, 429, 500, 502, 503, 504)
"""The HTTP statuses after which it helps to try again."""

DemandToken = Callable[[Endpoint, EndpointClient, LoadRequest], Awaitable[Secret]]
"""Requests a token from an endpoint."""


Connect = Callable[[Endpoint], AbstractAsyncContextManager[EndpointClient]]
"""Returns an HTTP client for an endpoint."""


class Claims:
    """Loads the facts of an application by a token that is kept, so that no start needs a new one.

    Args:
        store: Where to keep the token between starts, or ``None`` to keep it only while the program runs.
        holder: The application, whose name is its identifier.
        discovery: How to find the endpoint.
        demand: Requests a token if none is kept, or the endpoint has rejected the kept one.
    """

    def __init__(self, store: TokenStore | None, holder: Holder, discovery: Discovery, demand: DemandToken) -> None:
        self._holder = holder
        self._discovery = discovery
        self._demand = demand
        self._tokens = KeptTokens(store, holder.name)
        self._facts = KeptFacts(store, holder.name, discovery)

    async def load(self, request: LoadRequest, connect: Connect) -> LayeredFacts:
        """Return the facts of the endpoint, or, unless a refresh is forced, the kept ones if the endpoint is away.

        Args:
            request: The request.
            connect: Returns an HTTP client for an endpoint, which is not entered yet.

        Raises:
            DiscoveryError: If no endpoint is found.
            DemandError: If the endpoint grants no token.
            ClaimError: If the endpoint has no facts for the token.
        """
        try:
            endpoint = await self._discovery.adiscover()
            async with connect(endpoint) as http:
                facts = await self._claim(endpoint, http, request)
        except (ClaimError, DiscoveryError) as error:
            kept = None if request.force_refresh else await self._facts.instead_of(error)
            if kept is None:
                raise
            return kept
        await self._facts.keep(facts)
        return facts

    async def _claim(self, endpoint: Endpoint, http: EndpointClient, request: LoadRequest) -> LayeredFacts:
        token = await self._tokens.find(endpoint)
        if token is not None:
            outcome = await self._try(endpoint, http, token)
            if outcome is not None:
                return await self._renew(endpoint, http, request, outcome)
        async with self._tokens.demanding(endpoint):
            # Another process may have got one while this one waited.
            newer = await self._tokens.find(endpoint, unlike=token)
            if newer is not None:
                outcome = await self._try(endpoint, http, newer)
                if outcome is not None:
                    return outcome
            was_rejected = token is not None or newer is not None
            try:
                token = await self._demand(endpoint, http, request)
            except DemandError as error:
                error.withdrawn = was_rejected
                raise
            # Kept before it is used, so that the next load can use it if this claim fails.
            await self._tokens.keep(endpoint, token)
        return await claim_facts(endpoint, http, token, self._holder)

    async def _renew(
        self, endpoint: Endpoint, http: EndpointClient, request: LoadRequest, facts: LayeredFacts
    ) -> LayeredFacts:
        """Return the facts for the current token if the kept one ends soon and another one can simply be demanded."""
        if not self._holder.renews or not any(expiry.is_soon for expiry in facts.expiries):
            return facts
        try:
            token = await self._demand(endpoint, http, request)
        except DemandError:  # the warning about the end of the kept token says what to do
            return facts
        return await self._try(endpoint, http, token) or facts

    async def _try(self, endpoint: Endpoint, http: EndpointClient, token: Secret) -> LayeredFacts | None:
        """Return the facts for a kept token, or ``None`` if the endpoint rejects it. Then it is kept no longer."""
        outcome = await _send_claim(endpoint, http, token, self._holder)
        if not isinstance(outcome, ClaimError):
            await self._tokens.keep(endpoint, token)
            return outcome
        log_rejection(endpoint, self._holder.name, outcome)
        await self._tokens.forget(endpoint, token)
        await self._facts.forget()
        return None


async def claim_facts(endpoint: Endpoint, http: EndpointClient, token: Secret, holder: Holder) -> LayeredFacts:
    """Return the facts for a token.

    Raises:
        ClaimError: If the endpoint has no facts for it.
    """
    outcome = await _send_claim(endpoint, http, token, holder)
    if isinstance(outcome, ClaimError):
        failure = with_remedy(outcome, holder, endpoint)
        failure.withdrawn = True
        raise failure
    return outcome


def with_remedy(error: E, holder: Holder, endpoint: Endpoint) -> E:
    """Return an error that says what somebody has to do, if the endpoint refused the application."""
    remedy = holder.remedy_at(endpoint)
    if remedy is None or not error.refused:
        return error
    failure = type(error)(error.url, f"{error.reason}; {remedy}")
    failure.refused = True
    return failure


def connecting(http_client_args: Mapping[str, Any] | None, response_timeout: float) -> Connect:
    """Return a function that returns an HTTP client for an endpoint, which accepts only the certificate that it needs.

    Args:
        http_client_args: Arguments for :class:`httpx.AsyncClient`.
        response_timeout: The time limit for each response, in seconds.
    """

    def connect(endpoint: Endpoint) -> AbstractAsyncContextManager[EndpointClient]:
        args = dict(http_client_args or {})
        if endpoint.certificate is not None:
            args["verify"] = context_that_trusts(endpoint.certificate)
        return endpoint_client(args, response_timeout)

    return connect


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
            "pass host=, url= or fingerprint= to AdvertisedDiscovery"
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


async def _send_claim(
    endpoint: Endpoint, http: EndpointClient, token: Secret, holder: Holder
) -> LayeredFacts | ClaimError:
    """Return the facts, or an error if the endpoint rejects the token. All other errors are raised."""
    response = await http.send("POST", endpoint.url("claim"), {"token": token}, error=ClaimError)
    try:
        return _read_facts(response, endpoint, token, http, holder)
    except InvalidResponseError as error:
        failure = ClaimError(response.url, token.mask(str(error)))
    failure.refused = is_refusal(response)
    if response.status in (401, 403) or _is_error_response(response):
        return failure
    raise failure


def _read_facts(
    response: EndpointResponse, endpoint: Endpoint, token: Secret, http: EndpointClient, holder: Holder
) -> LayeredFacts:
    """Return the facts in a response. A function of its own, so that no traceback contains them."""
    granted = read_granted(response)
    facts, secrets = read_config(granted), read_secret_paths(granted)
    watches = configuration_watch(granted, endpoint.url("claim"), token, http)
    at = read_expiry(granted)
    expiry = None if at is None else holder.expiry(endpoint, at)
    return LayeredFacts([Layer(source=response.url, facts=facts, secrets=secrets, watches=watches, expiry=expiry)])


def _is_error_response(response: EndpointResponse) -> bool:
    try:
        return response.status == 200 and read_status(response.content)[0] == "error"
    except InvalidResponseError:
        return False
