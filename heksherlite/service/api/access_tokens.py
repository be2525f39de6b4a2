"""The access tokens of OAuth2 clients: signed, short-lived, and valid no longer than the token that they stand for.

They are not stored. Each service verifies the signature with the key that all services on the database share, and
looks up the token of the application. A revoked application has none, and one whose credentials were rotated has two
until the previous ones expire.
"""

import time
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any, Final

from itsdangerous import BadData, TimestampSigner, URLSafeTimedSerializer

from heksherlite.service.domain.credentials import secret_digest
from heksherlite.service.domain.tokens import Scope, Token, Tokens

LIFETIME: Final = 900
"""The lifetime of an access token, in seconds."""

_LEEWAY_SECONDS: Final = 60
_FINGERPRINT_LENGTH: Final = 16
_PREFIX: Final = "hka_"
_SALT: Final = "access token"


class AccessTokens:
    """Issues and verifies access tokens.

    Args:
        keys: Returns the signing keys, which all services on the database share; the last one signs.
        tokens: Returns the tokens that are valid now.
        revoked: Returns the digests of the access tokens that were revoked.
        clock: Returns the time on the clock that all services on the database agree on, in seconds since the epoch.
    """

    def __init__(
        self,
        keys: Callable[[], Sequence[str]],
        tokens: Callable[[], Tokens],
        clock: Callable[[], float] = time.time,
        *,
        revoked: Callable[[], Container[bytes]] = frozenset,
    ) -> None:
        self._revoked = revoked
        self._keys = keys
        self._clock = clock
        self._tokens = tokens

    def issue(self, token: Token, scopes: Iterable[Scope]) -> str:
        """Return a new access token.

        Args:
            token: The token of the application.
            scopes: The scopes of the access token. Scopes that the token does not have are ignored.
        """
        claims = [token.public_prefix, " ".join(sorted(scopes)), _fingerprint(token)]
        return _PREFIX + str(self._serializer().dumps(claims))

    def find(self, text: bytes) -> Token | None:
        """Return the token that an access token stands for, which may have expired, or None if there is none."""
        if not self.has_shape(text):
            return None
        try:
            claims, issued_at = self._serializer().loads(text[len(_PREFIX) :], return_timestamp=True)
        except BadData:
            return None
        public_prefix, scopes, fingerprint = claims
        known = self._tokens().get(public_prefix)
        candidates = () if known is None else (known, known.previous)
        token = next((each for each in candidates if each is not None and _fingerprint(each) == fingerprint), None)
        if token is None or secret_digest(text.decode("latin-1")) in self._revoked():
            return None
        issued = int(issued_at.timestamp())
        if issued > self._clock() + _LEEWAY_SECONDS:
            return None  # it would be valid for longer than its lifetime
        expires_at = issued + LIFETIME
        return replace(
            token,
            created_at=issued,
            scopes=token.scopes.intersection(scopes.split()),
            expires_at=expires_at if token.expires_at is None else min(expires_at, token.expires_at),
        )

    def latest_expiry(self) -> int:
        """Return when every access token that exists now has expired, in seconds since the epoch."""
        return int(self._clock()) + LIFETIME

    def has_shape(self, text: bytes) -> bool:
        """Return whether a text looks like an access token."""
        return text.startswith(_PREFIX.encode())

    def _serializer(self) -> URLSafeTimedSerializer:
        arguments = {"digest_method": sha256, "key_derivation": "hmac", "clock": self._clock}
        return URLSafeTimedSerializer(list(self._keys()), _SALT, signer=_Signer, signer_kwargs=arguments)


def _fingerprint(token: Token) -> str:
    """Return what tells the token of an application from the one that replaced it."""
    return token.digest.hex()[:_FINGERPRINT_LENGTH]


class _Signer(TimestampSigner):
    def __init__(self, *arguments: Any, clock: Callable[[], float], **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._clock = clock

    def get_timestamp(self) -> int:
        return int(self._clock())
