"""Tokens for facts: what all remote grants do after the discovery."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from heksherlite.errors import ClaimError, DemandError
from heksherlite.grants.facts import Facts
from heksherlite.grants.remote.messages import (
    Endpoint,
    Granted,
    Unusable,
    read_config,
    read_message,
    read_status,
    read_token,
)
from heksherlite.http.session import Reply, Session, status_of
from heksherlite.http.urls import printable
from heksherlite.secret import Secret

Demand = Callable[[Endpoint, Session], Awaitable[Secret]]
"""Gets a token from an endpoint."""


class Tokens:
    """The tokens that a grant has got, by the address that they are for. They live as long as the program.

    Without them a refresh would ask a person again, or spend a one-time token that is spent.
    """

    def __init__(self) -> None:
        self._tokens: dict[str, Secret] = {}

    async def claim(self, endpoint: Endpoint, http: Session, demand: Demand) -> Facts:
        """Return facts for the token from before, or for a new one if there is none or it is refused.

        Raises:
            DemandError: If there is no token.
            ClaimError: If there are no facts for it.
        """
        address = endpoint.url("claim")
        token = self._tokens.get(address)
        if token is not None:
            claimed = await _claimed(endpoint, http, token)
            if not isinstance(claimed, ClaimError):
                return claimed
            self._tokens.pop(address, None)  # unless another load has done that
        # Kept before it is used: if the claim does not get through, it is good for the next one.
        token = self._tokens[address] = await demand(endpoint, http)
        return await claim(endpoint, http, token)


async def claim(endpoint: Endpoint, http: Session, token: Secret) -> Facts:
    """Return the facts for a token.

    Raises:
        ClaimError: If there are none.
    """
    claimed = await _claimed(endpoint, http, token)
    if isinstance(claimed, ClaimError):
        raise claimed
    return claimed


async def demanded(http: Session, url: str, body: Mapping[str, Any], secret: Secret) -> Secret:
    """Return the token that an address grants for a manifest.

    Args:
        http: Asks.
        url: The address.
        body: What is sent.
        secret: What must not be shown if the answer repeats it.

    Raises:
        DemandError: If it grants none.
    """
    reply = await http.ask("POST", url, body, error=DemandError)
    try:
        return read_token(granted(reply))
    except Unusable as error:
        raise DemandError(reply.url, secret.masked(str(error))) from None


def granted(reply: Reply) -> Granted:
    """Return what an answer grants.

    Raises:
        Unusable: If it grants nothing.
    """
    if reply.status != 200:
        message = read_message(reply.content)
        raise Unusable(f"{status_of(reply)}{message and ': ' + message}")
    status, data = read_status(reply.content)
    if status == "granted":
        return data
    if status == "error":
        raise Unusable(f"it refuses: {read_message(reply.content) or 'without saying why'}")
    raise Unusable(f"the answer has the unknown status {printable(status)!r}")


async def _claimed(endpoint: Endpoint, http: Session, token: Secret) -> Facts | ClaimError:
    """Return facts, or an error if the token is refused; all other errors are raised."""
    reply = await http.ask("POST", endpoint.url("claim"), {"token": token}, error=ClaimError)
    try:
        return read_config(granted(reply))
    except Unusable as error:
        failure = ClaimError(reply.url, token.masked(str(error)))
    if reply.status in (401, 403) or _is_refusal(reply):
        return failure
    raise failure


def _is_refusal(reply: Reply) -> bool:
    try:
        return reply.status == 200 and read_status(reply.content)[0] == "error"
    except Unusable:
        return False
