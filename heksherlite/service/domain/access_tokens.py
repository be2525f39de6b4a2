"""Access tokens of OAuth2 clients: signed, short-lived, and good for as long as the token that they stand for.

They are not stored. Each service checks the signature by the key that all on the database have, and then looks for the
token of the application among those that it knows; a revoked one is not there any more.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from hashlib import sha256
from typing import Final

from itsdangerous import BadSignature, URLSafeSerializer

from heksherlite.service.domain.tokens import Scope, Token, Tokens

LIFETIME: Final = 900
"""For how many seconds an access token is good."""

_PREFIX: Final = "hka_"
_SALT: Final = "access token"


class AccessTokens:
    """Makes and finds access tokens.

    Args:
        key: Returns the key that all services on the database sign with.
        tokens: Returns the tokens that are valid now.
    """

    def __init__(self, key: Callable[[], str], tokens: Callable[[], Tokens]) -> None:
        self._key = key
        self._tokens = tokens

    def issue(self, token: Token, scopes: Iterable[Scope], now: float) -> str:
        """Return a new access token.

        Args:
            token: The token that it stands for.
            scopes: What it allows, so far as the token does.
            now: The time, in seconds since the epoch.
        """
        claims = [token.public_prefix, " ".join(sorted(scopes)), int(now) + LIFETIME]
        return _PREFIX + str(self._serializer().dumps(claims))

    def find(self, text: bytes) -> Token | None:
        """Return what an access token stands for, expired or not, or None if there is none of that text."""
        if not self.has_shape(text):
            return None
        try:
            public_prefix, scopes, expires_at = self._serializer().loads(text[len(_PREFIX) :])
        except BadSignature:
            return None
        token = self._tokens().get(public_prefix)
        if token is None:
            return None
        granted = token.scopes.intersection(scopes.split())
        ends = expires_at if token.expires_at is None else min(expires_at, token.expires_at)
        return replace(token, scopes=granted, expires_at=ends)

    def has_shape(self, text: bytes) -> bool:
        """Tell whether a text looks like an access token."""
        return text.startswith(_PREFIX.encode())

    def _serializer(self) -> URLSafeSerializer:
        return URLSafeSerializer(self._key(), _SALT, signer_kwargs={"digest_method": sha256, "key_derivation": "hmac"})
