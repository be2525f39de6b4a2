"""Browser sessions of people: the cookie, and the token that protects forms against cross-site requests."""

import re
import secrets
from dataclasses import dataclass, field
from hashlib import sha256
from hmac import compare_digest
from hmac import digest as hmac_digest
from typing import Final, TypeAlias

from heksherlite.service.domain.tokens import NO_ACCESS, Access

MAX_TOUCH_INTERVAL: Final = 60
"""The longest time for which the use of a session is not stored, in seconds."""

Owner: TypeAlias = tuple[str | None, str | None]
"""The public prefix of a token, or a person whom an identity provider named."""

_SHAPE: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_ID_LENGTH: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """The session of a person who is logged in.

    Times are in seconds since the epoch.

    Attributes:
        digest: The digest of the secret in its cookie, as `session_digest` returns it.
        public_prefix: The public prefix of the token that the person logged in with. The session has the access of
            this token, and ends with it. None if an identity provider identified the person.
        person: The person, as an identity provider named them; None for a session with a token.
        granted: What the person may do; for a session with a token, the token decides.
        address: The address from which the person logged in.
        created_at: When the person logged in.
        last_used_at: When the session was last used, within `MAX_TOUCH_INTERVAL`.
        expires_at: When the session expires even if it is used.
    """

    digest: bytes = field(repr=False)
    public_prefix: str | None = None
    person: str | None = None
    granted: Access = NO_ACCESS
    address: str | None = None
    created_at: int
    last_used_at: int
    expires_at: int

    @property
    def id(self) -> str:
        """The public id of the session, which is not secret."""
        return self.digest.hex()[:_ID_LENGTH]

    @property
    def owner(self) -> "Owner":
        """Whose session it is."""
        return self.public_prefix, self.person

    def ended(self, now: float, idle_timeout: float) -> bool:
        """Return whether the session has expired, or was not used for longer than a time-out in seconds."""
        return self.expires_at <= now or self.last_used_at + idle_timeout <= now


def touch_interval(idle_timeout: float) -> float:
    """Return how long the use of a session is not stored after it was stored, in seconds."""
    return min(MAX_TOUCH_INTERVAL, idle_timeout / 4)


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
