"""Text that must not be displayed."""

from typing import Any, Final

MASK: Final = "********"


class Secret:
    """A text that is only displayed on request. ``str()``, ``repr()`` and formatting return asterisks.

    It can be the type of a field of a dataclass, attrs class or pydantic model.

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
        return text.replace(self._value, MASK) if self._value else text

    def __repr__(self) -> str:
        return f"Secret({MASK})"

    def __eq__(self, other: object) -> bool:
        return self._value == other._value if isinstance(other, Secret) else NotImplemented

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    @classmethod
    def __get_pydantic_core_schema__(cls, *_: Any) -> Any:
        from pydantic_core import core_schema  # noqa: PLC0415 - only pydantic calls this

        return core_schema.no_info_plain_validator_function(cls._validated)

    @classmethod
    def _validated(cls, value: object) -> "Secret":
        if isinstance(value, cls):
            return value
        if not isinstance(value, str):
            raise ValueError("expected a string")  # noqa: TRY004 - the error that pydantic collects
        return cls(str(value))


class SecretText(str):
    """A string whose ``repr`` is masked, so that it is not displayed with the mapping that contains it.

    Apart from that, it is a string like any other, which libraries accept: ``str()`` and formatting return the text.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(MASK)
