"""Values beyond the primitives: code that type checkers accept, and the types that they infer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Optional, TypedDict, assert_type
from uuid import UUID

import attrs
import msgspec
import pydantic

from heksherlite import HeksherModel, Setting, Unit, setting_type


@dataclass(frozen=True)
class Limits:
    attempts: int = 3


@attrs.frozen
class AttrsLimits:
    attempts: int = 3


class TupleLimits(NamedTuple):
    attempts: int = 3


class DictLimits(TypedDict):
    attempts: int


class ModelLimits(pydantic.BaseModel):
    attempts: int = 3


class StructLimits(msgspec.Struct, frozen=True):
    attempts: int = 3


features = ["user"]
assert_type(Setting("x", Limits, features, Limits()), Setting[Limits])
assert_type(Setting("x", Limits, features, default_value=Limits()).get(user="a").attempts, int)
assert_type(Setting("x", AttrsLimits, features, AttrsLimits()).get(), AttrsLimits)
assert_type(Setting("x", TupleLimits, features, TupleLimits()).get(), TupleLimits)
assert_type(Setting("x", DictLimits, features, DictLimits(attempts=1)).get(), DictLimits)
assert_type(Setting("x", ModelLimits, features, ModelLimits()).get(), ModelLimits)
assert_type(Setting("x", StructLimits, features, StructLimits()).get(), StructLimits)
assert_type(Setting("x", HeksherModel(Limits, forbid_extra_keys=False), features, Limits()).get(), Limits)
assert_type(Setting("x", timedelta, features, timedelta(seconds=1)).get(), timedelta)
assert_type(Setting("x", datetime, features, datetime(2030, 1, 1, tzinfo=UTC)).get(), datetime)
assert_type(Setting("x", date, features, date(2030, 1, 1)).get(), date)
assert_type(Setting("x", Decimal, features, Decimal(1)).get(), Decimal)
assert_type(Setting("x", UUID, features, UUID(int=1)).get(), UUID)
assert_type(Setting("x", Path, features, Path("a")).get(), Path)
assert_type(Setting("x", Sequence[Limits], features, [Limits()]).get(), Sequence[Limits])
assert_type(Setting("x", Mapping[str, timedelta], features, {}).get(), Mapping[str, timedelta])
assert_type(Setting("x", Sequence[Limits | None], features, [None]).get(), Sequence[Limits | None])
mode: Setting[Literal["a", "b"]] = Setting("x", Literal["a", "b"], features, "a")
assert_type(mode.get(), Literal["a", "b"])
Pause = timedelta | None
pause: Setting[timedelta | None] = Setting("x", Pause, features, None)
assert_type(pause.get(), timedelta | None)
limits: Setting[Limits | None] = Setting("x", Optional[Limits], features, None)  # noqa: UP045 - mypy needs a name, or this
milliseconds: Setting[int] = Setting("x", setting_type(Annotated[int, Unit("ms")]), features, 5)
anything: Setting[Any] = Setting("x", setting_type(Any), features, {"a": [1]})
