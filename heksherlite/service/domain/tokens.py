"""Tokens: who may do what, and how a secret proves it."""

import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from hmac import compare_digest
from typing import Final, TypeAlias

TOKEN_NAME: Final = re.compile(r"[\w.@+-]{1,100}")
"""What the name of a token may look like."""

SHAPE: Final = re.compile(r"hkl_[0-9a-f]{8}_[A-Za-z0-9_-]{43}")
"""What a token looks like: a public prefix, then 256 random bits."""

_PUBLIC_LENGTH: Final = len("hkl_01234567")
_NO_DIGEST: Final = bytes(32)


class Scope(StrEnum):
    """What a token allows; none of them includes another."""

    READ = "read"
    """Queries, lists, details, and the documentation."""
    DECLARE = "declare"
    """Declarations of settings, as programs make them."""
    PROPOSE = "propose"
    """Proposals of changes, and comments on them."""
    WRITE = "write"
    """Rules and metadata."""
    ADMIN = "admin"
    """Context features, and settings beyond their metadata."""


@dataclass(frozen=True, slots=True)
class Token:
    """What is kept of a token: everything but its secret.

    Attributes:
        name: What people call it.
        public_prefix: How the token begins, which is no secret.
        digest: The SHA-256 of the whole token.
        scopes: What it allows.
        setting_prefix: How the names of the settings begin that it is limited to; empty for no limit.
        created_at: When it was made, in seconds since the epoch.
        expires_at: From when on it is of no use, in seconds since the epoch; None for never.
    """

    name: str
    public_prefix: str
    digest: bytes = field(repr=False)
    scopes: frozenset[Scope]
    setting_prefix: str
    created_at: int
    expires_at: int | None

    def expired(self, now: float) -> bool:
        """Tell whether it is of no use any more."""
        return self.expires_at is not None and now >= self.expires_at


Tokens: TypeAlias = Mapping[str, Token]
"""Tokens by their public prefix."""


def new_token(
    name: str, scopes: Iterable[Scope], *, now: float, setting_prefix: str = "", expires_at: int | None = None
) -> tuple[str, Token]:
    """Return a new token, secret and all, and what is to be kept of it.

    Raises:
        ValueError: It would have no proper name, or no scope, or be expired from the start.
    """
    if TOKEN_NAME.fullmatch(name) is None:
        raise ValueError(f"{name[:100]!r} is not a name for a token: it must match {TOKEN_NAME.pattern}")
    if not (granted := frozenset(scopes)):
        raise ValueError("a token needs at least one scope")
    if expires_at is not None and expires_at <= now:
        raise ValueError("the token would be expired from the start")
    public_prefix = f"hkl_{secrets.token_hex(4)}"
    text = f"{public_prefix}_{secrets.token_urlsafe(32)}"
    digest = sha256(text.encode()).digest()
    return text, Token(name, public_prefix, digest, granted, setting_prefix, int(now), expires_at)


def find_token(tokens: Tokens, text: bytes) -> Token | None:
    """Return the token that a client sent, expired or not, or None if there is none.

    How long it takes depends on the public prefix alone.
    """
    token = tokens.get(text[:_PUBLIC_LENGTH].decode("latin-1"))
    matches = compare_digest(sha256(text).digest(), _NO_DIGEST if token is None else token.digest)
    return token if matches else None
