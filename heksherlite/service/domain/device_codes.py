"""Device codes: what an application shows to a person, who then decides whether it is let in."""

import secrets
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from typing import Final, Literal, TypeAlias

from heksherlite.service.domain.manifests import Manifest

LIFETIME: Final = 600
"""For how many seconds a code can be used."""

LONGEST_CODE: Final = 64
"""How many characters a code may have."""

_ALPHABET: Final = "BCDFGHJKMNPQRTVWXYZ2346789"
"""No character looks like another one, and no vowel makes words."""

_LENGTH: Final = 8

ChosenBy: TypeAlias = Literal["service", "client"]


class CodeState(StrEnum):
    """What becomes of a code."""

    WAITING = "waiting"
    """Nobody has opened its page."""
    OPENED = "opened"
    """A person reads its page."""
    APPROVED = "approved"
    """The application was approved, and has not come for its token."""
    DENIED = "denied"
    """The application was denied."""
    USED = "used"
    """The application has its token."""
    EXPIRED = "expired"
    """Nobody decided in time, or the application did not come in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceCode:
    """What is kept of a code.

    Attributes:
        digest: The SHA-256 of the code, as `code_digest` has it.
        manifest: Which application asks.
        address: From where: of a code that the client chose, from where its page was opened.
        chosen_by: Who made the code up. Clients choose short ones that may be guessed.
        created_at: When it was made, in seconds since the epoch; if the client chose it, when its page was opened.
        expires_at: From when on it is of no use.
        opened_at: When its page was opened first.
        decision: What a person decided.
        application_id: Which application was approved.
        used_at: When the application came for its token.
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
        """Return what has become of it."""
        if self.used_at is not None:
            return CodeState.USED
        if self.decision == "denied" or (self.decision == "approved" and self.application_id is None):
            return CodeState.DENIED  # the latter was revoked before it came
        if now >= self.expires_at:
            return CodeState.EXPIRED
        if self.decision == "approved":
            return CodeState.APPROVED
        return CodeState.WAITING if self.opened_at is None else CodeState.OPENED


def new_code() -> str:
    """Return a code that a person can read out and type in."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))


def is_code(text: str) -> bool:
    """Tell whether a text could be a code: letters, digits and hyphens."""
    return text.isascii() and text.replace("-", "").isalnum() and len(text) <= LONGEST_CODE


def code_digest(code: str) -> bytes:
    """Return the SHA-256 of a code, which is the same in small letters, and with hyphens or spaces for the eye."""
    return sha256("".join(code.replace("-", " ").split()).upper().encode("utf-8", "surrogatepass")).digest()
