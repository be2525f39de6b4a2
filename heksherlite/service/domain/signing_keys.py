"""The keys with which all services on a database sign access tokens and device codes."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

OVERLAP: Final = 1800
"""How long what the previous key signed is accepted after a rotation, in seconds: longer than any of it is valid."""


@dataclass(frozen=True, slots=True)
class SigningKeys:
    """The signing keys of a database.

    Attributes:
        current: The key that signs.
        previous: The key that signed before; None if there was none, or if it must not be accepted any more.
        rotated_at: When the current key was made, in seconds since the epoch.
    """

    current: str = field(default="", repr=False)
    previous: str | None = field(default=None, repr=False)
    rotated_at: int = 0

    def accepted(self, now: float) -> Sequence[str]:
        """Return the keys that are accepted at a time in seconds since the epoch; the last one is the current one."""
        if self.previous is None or now >= self.rotated_at + OVERLAP:
            return (self.current,)
        return (self.previous, self.current)
