"""Sessions of browsers: what a cookie proves, and what a form proves that was sent with it."""

import re
import secrets
from dataclasses import dataclass, field
from hashlib import sha256
from hmac import compare_digest
from hmac import digest as hmac_digest
from typing import Final

LIFETIME: Final = 3600
"""For how many seconds an operator stays logged in."""

_SHAPE: Final = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class Session:
    """A browser of an operator who is logged in.

    Attributes:
        digest: The digest of the secret in its cookie, as `session_digest` returns it.
        public_prefix: The public prefix of the token that the operator logged in with.
        expires_at: When the session ends at the latest, in seconds since the epoch.
    """

    digest: bytes = field(repr=False)
    public_prefix: str
    expires_at: int


def new_secret() -> str:
    """Return what the cookie of a new session holds: 256 random bits."""
    return secrets.token_urlsafe(32)


def is_secret(text: str) -> bool:
    """Tell whether a cookie may be one of ours."""
    return _SHAPE.fullmatch(text) is not None


def session_digest(secret: str) -> bytes:
    """Return what is kept of a secret: enough to recognise it, and of no use as a cookie."""
    return sha256(secret.encode()).digest()


def form_token(secret: str) -> str:
    """Return what a form must bring along to be one that this service showed in this session."""
    return hmac_digest(secret.encode(), b"heksherlite form", "sha256").hex()


def is_form_token(secret: str, text: str) -> bool:
    """Tell whether a form is one that this service showed in this session."""
    return compare_digest(form_token(secret).encode(), text.encode())
