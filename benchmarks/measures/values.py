"""What objects as values take: to read, to load, and to check in the service."""

import asyncio
import gc
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

import cattrs
import httpx
from annotated_types import Ge
from pydantic import BaseModel, TypeAdapter

from benchmarks.data import FEATURES, THEME, user_name
from benchmarks.measures.canned import URL, CannedService, QueryResponse
from benchmarks.measures.program import MeasuredAsyncClient, async_client, set_apart, theme
from benchmarks.results import Row, write_rows
from benchmarks.sizes import SIZES, Size
from benchmarks.timing import Loop, per_call, repeated
from heksherlite import Setting
from heksherlite.operations import AddRule
from heksherlite.service.domain.catalog import Catalog
from heksherlite.service.domain.counters import Counters
from heksherlite.service.domain.deciding import decide
from heksherlite.service.domain.declarations import Declaration, declare
from heksherlite.service.domain.differences import Shape
from heksherlite.service.domain.value_schemas import ValueSchema
from heksherlite.service.domain.versions import INITIAL
from heksherlite.values.type_strings import parse_type

CHECKED = 10_000
"""The number of values that the service checks in one change."""

_RULES_PER_LINE = 1_000

kept: list[object] = []
"""Clients that settings take their defaults from."""


@dataclass(frozen=True)
class Limits:
    """An object of five fields."""

    attempts: Annotated[int, Ge(1)] = 3
    seconds: float = 0.5
    host: str = "localhost"
    encrypted: bool = False
    size: int = 10


class Model(BaseModel, frozen=True):
    """The same object for pydantic."""

    attempts: Annotated[int, Ge(1)] = 3
    seconds: float = 0.5
    host: str = "localhost"
    encrypted: bool = False
    size: int = 10


def objects(count: int) -> list[dict[str, Any]]:
    """Return objects of five fields."""
    return [asdict(Limits(attempts=1 + number % 9, seconds=number + 0.5, size=number)) for number in range(count)]


def response_with(name: str, values: Sequence[Any], default: Any) -> QueryResponse:
    """Return a v1 response with a rule for a user of its own for each value."""
    rules = [
        {"rule_id": number + 1, "value": value, "context_features": [["user", user_name(number)]]}
        for number, value in enumerate(values)
    ]
    body = {"settings": {name: {"default_value": default, "rules": rules}}}
    return QueryResponse(json.dumps(body, separators=(",", ":")).encode())


def lines_with(values: Sequence[Any]) -> QueryResponse:
    """Return the response of our service with a rule for a user of its own for each value."""
    lines: list[Any] = [{"context_features": FEATURES}]
    lines.append({"setting": "limits", "default_value": values[0], "whole": True})
    for start in range(0, len(values), _RULES_PER_LINE):
        numbers = range(start, min(start + _RULES_PER_LINE, len(values)))
        lines.append(
            {
                "rule_ids": [number + 1 for number in numbers],
                "context_features": ["user"],
                "context_values": [list(map(user_name, numbers))],
                "values": values[start : start + _RULES_PER_LINE],
            }
        )
    lines.append({"settings": 1})
    body = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
    return QueryResponse(body.encode(), httpx.Headers({"Content-Type": "application/x-ndjson"}))


def loaded(name: str, type_: Any, default: Any, value: Any, raw_default: Any) -> tuple[Setting[Any], object]:
    """Return a setting with one rule, as a client loads it, and the client."""
    theme.set(THEME)
    setting: Setting[Any] = Setting(name, type_, FEATURES, default)

    async def load() -> object:
        transport = CannedService(response_with(name, [value], raw_default))
        async with async_client(URL, transport=transport) as client:
            return client

    return setting, asyncio.run(load())


def get_row(size: Size) -> Row:
    """Measure reading a dataclass, against reading a number."""
    plain, plain_client = loaded("plain", int, 1, 7, 1)
    ours, client = loaded("object", Limits, Limits(), asdict(Limits(7)), asdict(Limits()))
    kept[:] = [plain_client, client]
    user = user_name(0)
    assert (plain.get(user=user), ours.get(user=user)) == (7, Limits(7))
    call = "subject.get(user=user)"
    loops = {"plain": Loop(call, subject=plain), "ours": Loop(call, subject=ours)}
    samples = per_call(loops, repeated([user], size.calls, size.repeats))
    return Row("values", "get, a dataclass, against an int", "ns", samples["ours"], samples["plain"], 1.1)


def load_row(what: str, type_: Any, size: Size, alone: Callable[[Sequence[Any]], object]) -> Row:
    """Measure a first load of objects, against what their library takes for them."""
    values = objects(size.rules)
    response = lines_with(values)
    ours, floor = [], []
    for _ in range(size.loads):
        copies = json.loads(json.dumps(values))
        gc.collect()
        started = time.process_time()
        instances = alone(copies)
        floor.append((time.process_time() - started) * 1e3)
        assert instances
        del instances, copies
        ours.append(milliseconds_of_load(response, type_, size))
    return Row("values", f"first load, {size.rules:,} {what}", "ms", ours, floor, 3)


def milliseconds_of_load(response: QueryResponse, type_: Any, size: Size) -> float:
    """Return the processor time from the bytes in hand to the instances being served."""
    transport, stopped = CannedService(response), [0.0]
    setting: Setting[Any] = Setting("limits", type_, FEATURES, type_())

    def stop() -> None:
        stopped[0] = time.process_time()

    async def load() -> None:
        async with MeasuredAsyncClient(URL, {"transport": transport}, stop):
            assert setting.get(user=user_name(size.rules - 1)).size == size.rules - 1

    theme.set(THEME)
    gc.collect()
    asyncio.run(load())
    return (stopped[0] - transport.responded_at) * 1e3


def service_row(size: Size) -> Row:
    """Measure a change with many values, against the same without a schema."""
    samples: Mapping[bool, list[float]] = {True: [], False: []}
    values = objects(CHECKED)
    operations = [
        AddRule(setting="limits", feature_values={"user": user_name(number)}, value=value)
        for number, value in enumerate(values)
    ]
    for _ in range(size.loads):
        for has_schema, taken in samples.items():
            catalog = catalog_with(Setting("limits", Limits, ["user"], Limits()) if has_schema else None)
            started = time.process_time()
            outcome = decide(catalog, operations, datetime.now(UTC))
            taken.append((time.process_time() - started) * 1e3)
            assert not outcome.conflicts
            assert len(outcome.changes.rules) == CHECKED
    what = f"the service decides {CHECKED:,} rules with objects in one change"
    without = sorted(samples[False])[len(samples[False]) // 2]
    note = f"without a schema: {without:.0f} ms"
    return Row("values", what, "ms", samples[True], (), 1000, "value", note=note)


def catalog_with(setting: Setting[Any] | None) -> Catalog:
    """Return a catalog with the declaration of a setting, or with one that has no schema."""
    catalog = Catalog(Counters("benchmark"), context_features=("user",))
    schema = None if setting is None else ValueSchema(setting.type.json_schema())
    shape = Shape("limits", frozenset({"user"}), parse_type("Json"), asdict(Limits()), {}, schema)
    changes = declare(catalog, Declaration(shape, INITIAL)).changes
    return catalog.after(changes, catalog.counters_after(changes))


def main() -> None:
    """Measure, and write the rows."""
    size = SIZES[sys.argv[1]]
    converter = cattrs.Converter()
    adapter = TypeAdapter(list[Model])
    set_apart()
    write_rows(
        [
            get_row(size),
            load_row("dataclasses, against cattrs", Limits, size, lambda each: converter.structure(each, list[Limits])),
            load_row("pydantic models, against pydantic", Model, size, adapter.validate_python),
            service_row(size),
        ]
    )


if __name__ == "__main__":
    main()
