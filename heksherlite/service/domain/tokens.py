"""Tokens and their scopes."""

import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from hmac import compare_digest
from typing import Any, Final, TypeAlias

TOKEN_NAME: Final = re.compile(r"[\w.@+-]{1,100}")
"""The pattern of the names of tokens."""

SHAPE: Final = re.compile(r"hkl_[0-9a-f]{8}_[A-Za-z0-9_-]{43}")
"""The pattern of tokens: a public prefix, then 256 random bits."""

_LONGEST_OWNER: Final = 200
_PUBLIC_LENGTH: Final = len("hkl_01234567")
_SOON_SECONDS: Final = 14 * 86_400
_NO_DIGEST: Final = bytes(32)


class Scope(StrEnum):
    """What a token allows. No scope includes another."""

    READ = "read"
    """Queries, lists, details, and the documentation."""
    DECLARE = "declare"
    """Declarations of settings, as programs make them."""
    PROPOSE = "propose"
    """Proposals of changes, and comments on them."""
    WRITE = "write"
    """Rules and metadata."""
    AUDIT = "audit"
    """The audit record, and the parts of the history that concern people."""
    ADMIN = "admin"
    """Context features, and settings beyond their metadata."""
    EVALUATE = "evaluate"
    """The values of the settings that are visible to clients, in a context: for browsers and phones."""


PERMITS: Final[Mapping[Scope, str]] = {
    Scope.READ: "read settings",
    Scope.DECLARE: "declare settings",
    Scope.PROPOSE: "propose changes",
    Scope.WRITE: "change values",
    Scope.AUDIT: "read the audit record",
    Scope.ADMIN: "administer the service",
    Scope.EVALUATE: "evaluate settings",
}
"""What each scope permits, for people: they may do this."""


def in_words(scopes: Iterable[Scope], conjunction: str) -> str:
    """Return what some scopes permit, such as ``read settings and change values``, or nothing without a scope.

    Args:
        scopes: The scopes.
        conjunction: ``and`` or ``or``.
    """
    *others, last = [words for scope, words in PERMITS.items() if scope in frozenset(scopes)] or [""]
    return f"{', '.join(others)} {conjunction} {last}" if others else last


@dataclass(frozen=True, slots=True)
class Token:
    """A stored token, without its secret.

    Attributes:
        name: The name of the token, for people.
        public_prefix: The beginning of the token, which is not secret.
        digest: The SHA-256 of the whole token.
        scopes: The scopes of the token.
        setting_prefix: The token is limited to settings whose names begin with this. Empty for no limit.
        created_at: When the token was created, in seconds since the epoch.
        expires_at: When the token expires, in seconds since the epoch; None for never.
        application_id: The id of the application that the token belongs to; None for any other token.
        owner: The person that the token belongs to, by the name that a proxy or identity provider gives them; None if
            nobody said it. Nobody approves proposals that they made with another token.
        last_used_at: When the token was last used, within about an hour, in seconds since the epoch; None if it was
            not used, or if that was not looked up.
        previous: The token of an application before its credentials were rotated. It works as well until it expires.
    """

    name: str
    public_prefix: str
    digest: bytes = field(repr=False)
    scopes: frozenset[Scope]
    setting_prefix: str
    created_at: int
    expires_at: int | None
    application_id: str | None = None
    owner: str | None = None
    last_used_at: int | None = None
    previous: "Token | None" = None

    def described(self) -> dict[str, Any]:
        """Return the token as JSON, without its secret."""
        return {
            "name": self.name,
            "public_prefix": self.public_prefix,
            "scopes": [scope for scope in Scope if scope in self.scopes],
            "setting_prefix": self.setting_prefix,
            "created_at": self.created_at,
            "expires_at": self.expires_at,
            "owner": self.owner,
            "last_used_at": self.last_used_at,
        }

    def expires_soon(self, now: float) -> bool:
        """Return whether the token expires within two weeks, or a fifth of its lifetime if that is less."""
        if self.expires_at is None or self.expired(now):
            return False
        return self.expires_at - now <= min(_SOON_SECONDS, (self.expires_at - self.created_at) / 5)

    @property
    def access(self) -> "Access":
        """What the token allows."""
        return Access(self.scopes, self.setting_prefix)

    def expired(self, now: float) -> bool:
        """Return whether the token has expired at a time, in seconds since the epoch."""
        return self.expires_at is not None and now >= self.expires_at


@dataclass(frozen=True, slots=True)
class Access:
    """What somebody may do.

    Attributes:
        scopes: The scopes.
        setting_prefix: The access is limited to settings whose names begin with this. Empty for no limit.
    """

    scopes: frozenset[Scope] = frozenset()
    setting_prefix: str = ""


NO_ACCESS: Final = Access()
FULL_ACCESS: Final = Access(frozenset(Scope))


Tokens: TypeAlias = Mapping[str, Token]
"""Tokens by their public prefix."""


def new_token(
    name: str,
    scopes: Iterable[Scope],
    *,
    now: float,
    setting_prefix: str = "",
    expires_at: int | None = None,
    owner: str | None = None,
) -> tuple[str, Token]:
    """Return the text of a new token, and the token as it is stored.

    Raises:
        ValueError: The name or the owner is malformed, there is no scope, or the token would have expired already.
    """
    if TOKEN_NAME.fullmatch(name) is None:
        raise ValueError(f"{name[:100]!r} is not a name for a token: use 1 to 100 letters, digits and _ . @ + -")
    if not (granted := frozenset(scopes)):
        raise ValueError("a token needs at least one scope")
    if expires_at is not None and expires_at <= now:
        raise ValueError("the token would have expired already: choose a later time")
    if owner is not None and not (0 < len(owner) <= _LONGEST_OWNER and owner.isprintable()):
        raise ValueError(f"{owner[:100]!r} is not the name of a person: expected 1 to {_LONGEST_OWNER} characters")
    public_prefix = f"hkl_{secrets.token_hex(4)}"
    text = f"{public_prefix}_{secrets.token_urlsafe(32)}"
    digest = sha256(text.encode()).digest()
    return text, Token(name, public_prefix, digest, granted, setting_prefix, int(now), expires_at, owner=owner)


def public_prefix(text: str) -> str:
    """Return the beginning of a token, which is no secret."""
    return text[:_PUBLIC_LENGTH]


def find_token(tokens: Tokens, text: bytes) -> Token | None:
    """Return the stored token for a text, even if it has expired, or None if there is none.

    The time that this takes depends on the public prefix only.
    """
    token = tokens.get(text[:_PUBLIC_LENGTH].decode("latin-1"))
    previous, sent = None if token is None else token.previous, sha256(text).digest()
    is_current = compare_digest(sent, _NO_DIGEST if token is None else token.digest)
    if previous is not None and compare_digest(sent, previous.digest):
        return previous
    return token if is_current else None
