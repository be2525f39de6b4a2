"""What type checkers know of settings: the Python types that select a setting type, and the client of a setting."""

from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar, Never, Protocol, TypeVar

if TYPE_CHECKING:
    from datetime import date, datetime, time, timedelta
    from decimal import Decimal
    from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
    from pathlib import Path, PurePath
    from uuid import UUID

E = TypeVar("E", bound=Enum)
P = TypeVar(
    "P",
    bool,
    int,
    float,
    str,
    "timedelta",
    "datetime",
    "date",
    "time",
    "Decimal",
    "UUID",
    "Path",
    "PurePath",
    "IPv4Address",
    "IPv6Address",
    "IPv4Network",
    "IPv6Network",
    "IPv4Interface",
    "IPv6Interface",
)


class _Dataclass(Protocol):
    __dataclass_fields__: ClassVar[dict[str, Any]]


class _AttrsClass(Protocol):
    __attrs_attrs__: ClassVar[Any]


class _PydanticModel(Protocol):
    __pydantic_validator__: ClassVar[Any]


class _MsgspecStruct(Protocol):
    __struct_config__: ClassVar[Any]


class _NamedTuple(Protocol):
    @property
    def _fields(self) -> tuple[str, ...]: ...


class _TypedDictionary(Protocol):
    def setdefault(self, k: Never, default: object) -> object: ...


M = TypeVar("M", bound="_Dataclass | _AttrsClass | _PydanticModel | _MsgspecStruct | _NamedTuple | _TypedDictionary")


class Supplier(Protocol):
    """A client that supplies a setting with rules."""

    @property
    def is_live(self) -> bool:
        """Whether it still supplies rules."""
        ...
