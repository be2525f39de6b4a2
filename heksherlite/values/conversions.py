"""The base of all setting types: how the values of one Python type are sent and received."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Generic, NamedTuple, TypeVar

T = TypeVar("T")


class Conversion(NamedTuple, Generic[T]):
    """A value from the service after its conversion to Python.

    A *coercion* is a change that was needed to make the value fit, such as dropping a flag that this version of the
    program does not define.

    Attributes:
        value: The Python value.
        coercions: One sentence for each coercion. Empty if the value was converted without loss.
    """

    value: T
    coercions: Sequence[str] = ()


class SettingType(ABC, Generic[T]):
    """How the values of one Python type are sent and received. Subclass it to support another type.

    A subclass defines :meth:`heksher_string`, :meth:`convert_from_heksher` and :meth:`convert_to_heksher`.
    """

    __slots__ = ()

    @abstractmethod
    def heksher_string(self) -> str:
        """Return the wire type, such as ``Sequence<int>``."""

    def json_schema(self) -> dict[str, Any] | None:
        """Return the JSON Schema that values satisfy in addition to the wire type, or ``None`` for no schema.

        It is declared with the setting, and the service refuses other values. The default implementation returns
        ``None``.
        """
        return None

    @abstractmethod
    def convert_from_heksher(self, x: Any) -> Conversion[T]:
        """Convert a JSON value from the service to a Python value.

        Args:
            x: The JSON value.

        Raises:
            TypeError: If the value cannot be converted.
        """

    def convert_all_from_heksher(self, xs: Sequence[Any]) -> Sequence[T] | None:
        """Convert many JSON values at once, if that is faster than one by one.

        Args:
            xs: The JSON values.

        Returns:
            The Python values, or ``None`` if some values may not fit or may need coercion. The caller then converts the
            values one by one. The default implementation always returns ``None``.
        """
        del xs
        return None

    @abstractmethod
    def convert_to_heksher(self, x: T) -> Any:
        """Convert a Python value to the JSON value that the service stores.

        Args:
            x: The Python value.
        """

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, type(self)):
            return NotImplemented
        return self.heksher_string() == other.heksher_string() and self.json_schema() == other.json_schema()

    def __hash__(self) -> int:
        return hash(self.heksher_string())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.heksher_string()})"
