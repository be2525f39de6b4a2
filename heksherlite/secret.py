"""Text that must not be displayed."""

from typing import Final

_MASK: Final = "********"


class Secret:
    """A text that is only displayed on request.

    Args:
        value: The text.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the text."""
        return self._value

    def mask(self, text: str) -> str:
        """Return another text with each occurrence of this one masked."""
        return text.replace(self._value, _MASK) if self._value else text

    def __repr__(self) -> str:
        return f"Secret({_MASK})"
