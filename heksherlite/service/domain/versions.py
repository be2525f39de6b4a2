"""Versions of settings: ``MAJOR.MINOR``, compared as pairs of integers."""

import re
from typing import NamedTuple, Self

_MAX_DIGITS = 18  # keeps the numbers within 64 bits for every reader


class Version(NamedTuple):
    """The version of a setting. ``1.00`` is ``1.0``, ``1.10`` is above ``1.9``."""

    major: int
    minor: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"

    @property
    def next_major(self) -> "Version":
        """The next version for a change that may break programs written for this one."""
        return Version(self.major + 1, 0)

    @property
    def next_minor(self) -> "Version":
        """The next version for a change that programs written for this one work with."""
        return Version(self.major, self.minor + 1)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a version.

        Raises:
            ValueError: The text is not of the form ``MAJOR.MINOR``.
        """
        if re.fullmatch(PATTERN, text) is None:
            raise ValueError(f"a version is MAJOR.MINOR, two numbers of at most {_MAX_DIGITS} digits, such as 1.0")
        major, minor = text.split(".")
        return cls(int(major), int(minor))


PATTERN = rf"[0-9]{{1,{_MAX_DIGITS}}}\.[0-9]{{1,{_MAX_DIGITS}}}"
INITIAL = Version(1, 0)
