"""The names of revisions, and the line of revisions that led to a state.

A number alone does not name a state: a database that was restored from a backup, or that lost its last transactions in
a failover, gives the same numbers to other writes. So each write also gets a random nonce. The same number with another
nonce belongs to another branch.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

NONCE_BYTES: Final = 6

NO_NONCE: Final = "00" * NONCE_BYTES
"""The nonce of a state that no write has made."""

MOST_REVISIONS: Final = 100_000
"""The maximum number of revisions in a lineage. The oldest ones are removed."""

REVISION_NAME: Final = re.compile(r"([0-9]{1,18})-([0-9a-f]{12})")
"""The names of revisions."""


class RevisionId(NamedTuple):
    """The name of a revision, such as ``17-3fa2b1c09d8e``.

    Attributes:
        number: The number, which increases by one with each write.
        nonce: The random nonce of the write, in hexadecimal.
    """

    number: int
    nonce: str

    def __str__(self) -> str:
        return f"{self.number}-{self.nonce}"

    @classmethod
    def parse(cls, text: str) -> "RevisionId | None":
        """Parse the name of a revision, or return None if it is malformed."""
        match = REVISION_NAME.fullmatch(text)
        return None if match is None else cls(int(match[1]), match[2])


@dataclass(frozen=True, slots=True)
class Lineage:
    """The latest revisions that led to a state, without gaps.

    Attributes:
        first: The number of the earliest revision.
        nonces: The concatenated nonces of the revisions.
    """

    first: int = 0
    nonces: bytes = b""

    def after(self, revisions: Iterable[RevisionId]) -> "Lineage":
        """Return the lineage with more revisions. After a gap it starts again."""
        first, nonces = self.first, bytearray(self.nonces)
        for number, nonce in revisions:
            if number != first + len(nonces) // NONCE_BYTES:
                first, nonces = number, bytearray()
            nonces += bytes.fromhex(nonce)
        excess = len(nonces) // NONCE_BYTES - MOST_REVISIONS
        if excess > 0:
            first, nonces = first + excess, nonces[excess * NONCE_BYTES :]
        return Lineage(first, bytes(nonces))

    def revision(self, number: int) -> RevisionId | None:
        """Return the name of the revision with a number, or None if the line does not have it."""
        offset = (number - self.first) * NONCE_BYTES
        nonce = self.nonces[offset : offset + NONCE_BYTES] if offset >= 0 else b""
        return RevisionId(number, nonce.hex()) if nonce else None

    def __contains__(self, revision: RevisionId) -> bool:
        return self.revision(revision.number) == revision

    def excludes(self, revision: RevisionId) -> bool:
        """Return whether a revision is newer than the line, or on another branch; of old ones this is not known."""
        return revision.number >= self.first and revision not in self


NO_LINEAGE: Final = Lineage()
