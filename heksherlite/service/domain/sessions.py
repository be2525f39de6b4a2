"""Browser sessions of operators: the cookie, and the token that protects forms against cross-site requests."""

import re
import secrets
from dataclasses import dataclass, field
from hashlib import sha256
from hmac import compare_digest
from hmac import digest as hmac_digest
from typing import Final

LIFETIME: Final = 3600
"""The lifetime of a session, in seconds."""

_SHAPE: Final = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class Session:
    """The session of an operator who is logged in.

    Attributes:
        digest: The digest of the secret in its cookie, as `session_digest` returns it.
        public_prefix: The public prefix of the token that the operator logged in with.
        expires_at: When the session expires, in seconds since the epoch.
    """

    digest: bytes = field(repr=False)
    public_prefix: str
    expires_at: int


def new_secret() -> str:
    """Return the secret for the cookie of a new session: 256 random bits."""
    return secrets.token_urlsafe(32)


def is_secret(text: str) -> bool:
    """Return whether the value of a cookie has the form of a secret."""
    return _SHAPE.fullmatch(text) is not None


def session_digest(secret: str) -> bytes:
    """Return the digest that is stored for a secret. It identifies the secret, and cannot be used as a cookie."""
    return sha256(secret.encode()).digest()


def form_token(secret: str) -> str:
    """Return the token that every form in a session must contain."""
    return hmac_digest(secret.encode(), b"heksherlite form", "sha256").hex()


def is_form_token(secret: str, text: str) -> bool:
    """Return whether a text is the form token of a session."""
    return compare_digest(form_token(secret).encode(), text.encode())
