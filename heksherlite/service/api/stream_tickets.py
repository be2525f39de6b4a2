"""Tickets for the stream of OFREP.

A browser that opens a stream cannot send a token in a header, and a URL is no place for one.
"""

from base64 import urlsafe_b64encode
from collections.abc import Callable, Sequence
from hmac import compare_digest, digest
from typing import Final

from heksherlite.service.domain.tokens import FULL_ACCESS, Access, Token, Tokens

_SEPARATOR: Final = "."


class StreamTickets:
    """Signs and verifies tickets. A ticket is valid as long as its token, and tells only that something changed.

    Args:
        tokens: Returns the tokens that are valid now.
        keys: Returns the signing keys, which all services on the database share; the last one signs.
        clock: Returns the time on the clock that all services on the database agree on, in seconds since the epoch.
        requires_tokens: Whether requests require a token; if not, the ticket is empty.
    """

    def __init__(
        self,
        tokens: Callable[[], Tokens],
        keys: Callable[[], Sequence[str]],
        clock: Callable[[], float],
        *,
        requires_tokens: bool,
    ) -> None:
        self._tokens = tokens
        self._keys = keys
        self._clock = clock
        self._requires_tokens = requires_tokens

    def ticket(self, token: Token | None) -> str | None:
        """Return the ticket of a token, or None for one that is not stored, as those of OAuth2 clients."""
        if not self._requires_tokens:
            return ""
        if token is None or token.public_prefix not in self._tokens():
            return None
        return f"{token.public_prefix}{_SEPARATOR}{_signature(self._keys()[-1], token)}"

    def access(self, ticket: str) -> Access | None:
        """Return what the token of a ticket allows, or None if the ticket is not valid."""
        if not self._requires_tokens:
            return FULL_ACCESS
        public_prefix, _, signature = ticket.partition(_SEPARATOR)
        sent, now, token = signature.encode("utf-8", "replace"), self._clock(), self._tokens().get(public_prefix)
        for known in () if token is None else (token, token.previous):
            if known is None or known.expired(now):
                continue
            signed = [compare_digest(sent, _signature(key, known).encode()) for key in self._keys()]
            if any(signed):
                return known.access
        return None

    def is_valid(self, ticket: str) -> bool:
        """Return whether a ticket is valid now."""
        return self.access(ticket) is not None


def _signature(key: str, token: Token) -> str:
    message = f"stream of flags {token.public_prefix} {token.digest.hex()}".encode()
    return urlsafe_b64encode(digest(key.encode(), message, "sha256")).rstrip(b"=").decode()
