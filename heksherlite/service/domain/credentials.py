"""The credentials of applications.

An approved application gets one random secret, its *claim token*, with which it claims its configuration. The
configuration contains a token for the API and an OAuth2 client secret. Both are derived from the claim token with
HMAC-SHA256, so they are the same each time. The service stores only the SHA-256 digests of the three, which are enough
to verify them. A holder of the claim token could claim the other two anyway.
"""

import re
import secrets
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from hashlib import sha256
from hmac import compare_digest, digest
from typing import Final, Literal, TypeAlias

Kind: TypeAlias = Literal["claim", "invite"]

_PREFIXES: Final = {"claim": "hkc", "invite": "hki"}
_ID: Final = re.compile(r"[0-9a-f]{8}")
_SHAPE: Final = re.compile(r"(hk[ci])_([0-9a-f]{8})_[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class Digests:
    """The SHA-256 of an application's credentials."""

    claim_token: bytes
    settings_token: bytes
    client_secret: bytes

    def each(self) -> tuple[bytes, bytes, bytes]:
        """Return the digests, in the order of the attributes."""
        return self.claim_token, self.settings_token, self.client_secret


@dataclass(frozen=True, slots=True)
class Credentials:
    """The credentials of an application. Only the application ever gets them.

    Attributes:
        application_id: The id of the application, which is its ``client_id`` too.
        claim_token: The token with which it claims its configuration.
    """

    application_id: str
    claim_token: str = field(repr=False)

    @property
    def settings_token(self) -> str:
        """The token for the API."""
        return f"hkl_{self.application_id}_{self._derived(b'settings token')}"

    @property
    def client_secret(self) -> str:
        """The OAuth2 client secret."""
        return self._derived(b"client secret")

    def shown(self) -> dict[str, str]:
        """Return the credentials as JSON, for the operator who asked for them."""
        return {
            "claim_token": self.claim_token,
            "api_token": self.settings_token,
            "client_id": self.application_id,
            "client_secret": self.client_secret,
        }

    def digests(self) -> Digests:
        """Return the digests, which are stored."""
        return Digests(
            secret_digest(self.claim_token), secret_digest(self.settings_token), secret_digest(self.client_secret)
        )

    def _derived(self, purpose: bytes) -> str:
        return _text(digest(self.claim_token.encode(), purpose + b" of " + self.application_id.encode(), "sha256"))


def new_credentials() -> Credentials:
    """Return the credentials of a new application."""
    return credentials_of(new_application_id(), new_random_part())


def credentials_of(application_id: str, random_part: str) -> Credentials:
    """Return the credentials of an application, given the random part of its claim token."""
    return Credentials(application_id, f"{_PREFIXES['claim']}_{application_id}_{random_part}")


def new_application_id() -> str:
    """Return a random id for an application."""
    return secrets.token_hex(4)


def new_random_part() -> str:
    """Return the random part of a claim token or one-time token: 256 bits."""
    return secrets.token_urlsafe(32)


def is_application_id(text: str) -> bool:
    """Return whether an untrusted text has the form of an application id."""
    return _ID.fullmatch(text) is not None


def new_one_time_token(application_id: str) -> str:
    """Return a one-time token for an application."""
    return f"{_PREFIXES['invite']}_{application_id}_{new_random_part()}"


def application_of(kind: Kind, secret: str) -> str | None:
    """Return the application id in a secret, which is not verified, or None if it is not a secret of this kind."""
    match = _SHAPE.fullmatch(secret)
    return match[2] if match and match[1] == _PREFIXES[kind] else None


def secret_digest(secret: str) -> bytes:
    """Return the SHA-256 of a secret."""
    return sha256(secret.encode("utf-8", "surrogatepass")).digest()


def matches(secret: str, kept: bytes | None) -> bool:
    """Return whether a secret has the stored digest. Takes constant time."""
    return compare_digest(secret_digest(secret), kept or bytes(32))


def _text(secret: bytes) -> str:
    return urlsafe_b64encode(secret).rstrip(b"=").decode()
