"""Device codes: an application shows one to a person, who then approves or denies the application."""

import secrets
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from typing import Final, Literal, TypeAlias

from heksherlite.service.domain.manifests import Manifest

LIFETIME: Final = 600
"""The lifetime of a code, in seconds."""

LONGEST_CODE: Final = 64
"""The maximum length of a code, in characters."""

_ALPHABET: Final = "BCDFGHJKMNPQRTVWXYZ2346789"
"""Without characters that look alike, and without vowels, so that no code is a word."""

_LENGTH: Final = 8

ChosenBy: TypeAlias = Literal["service", "client"]


class CodeState(StrEnum):
    """The state of a code."""

    WAITING = "waiting"
    """Nobody has opened its page."""
    OPENED = "opened"
    """A person reads its page."""
    APPROVED = "approved"
    """The application was approved, and has not claimed its token yet."""
    DENIED = "denied"
    """The application was denied."""
    USED = "used"
    """The application has its token."""
    EXPIRED = "expired"
    """Nobody decided in time, or the application did not claim its token in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceCode:
    """A stored code.

    Attributes:
        digest: The SHA-256 of the code, as `code_digest` returns it.
        manifest: The manifest of the application.
        address: The address of the client. If the client chose the code, the address that opened its page.
        chosen_by: Who chose the code. Codes that clients choose are short and can be guessed.
        created_at: When the code was created, in seconds since the epoch. If the client chose it, when its page was
            opened.
        expires_at: When the code expires, in seconds since the epoch.
        opened_at: When its page was first opened, in seconds since the epoch.
        decision: The decision of a person.
        application_id: The id of the application that was approved.
        used_at: When the application claimed its token, in seconds since the epoch.
    """

    digest: bytes = field(repr=False)
    manifest: Manifest
    address: str | None
    chosen_by: ChosenBy
    created_at: int
    expires_at: int
    opened_at: int | None = None
    decision: Literal["approved", "denied"] | None = None
    application_id: str | None = None
    used_at: int | None = None

    def state(self, now: float) -> CodeState:
        """Return the state of the code at a time, in seconds since the epoch."""
        if self.used_at is not None:
            return CodeState.USED
        if self.decision == "denied" or (self.decision == "approved" and self.application_id is None):
            return CodeState.DENIED  # an approved application without id was revoked before it claimed its token
        if now >= self.expires_at:
            return CodeState.EXPIRED
        if self.decision == "approved":
            return CodeState.APPROVED
        return CodeState.WAITING if self.opened_at is None else CodeState.OPENED


def new_code() -> str:
    """Return a new code, which a person can read out and type."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))


def is_code(text: str) -> bool:
    """Return whether a text can be a code: letters, digits and hyphens."""
    return text.isascii() and text.replace("-", "").isalnum() and len(text) <= LONGEST_CODE


def code_digest(code: str) -> bytes:
    """Return the SHA-256 of a code. Case, hyphens and spaces do not change it."""
    return sha256("".join(code.replace("-", " ").split()).upper().encode("utf-8", "surrogatepass")).digest()
