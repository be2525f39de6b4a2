"""Texts that must not be shown."""

from typing import Final

_MASK: Final = "********"


class Secret:
    """A text that shows only when it is asked to.

    Args:
        value: The text.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the text."""
        return self._value

    def masked(self, text: str) -> str:
        """Return a text of somebody else without this one in it."""
        return text.replace(self._value, _MASK) if self._value else text

    def __repr__(self) -> str:
        return f"Secret({_MASK})"
