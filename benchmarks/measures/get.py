"""What `Setting.get` takes, against the floor."""

import asyncio
import random
import statistics
import sys
import tracemalloc
from collections.abc import Sequence
from typing import Any

from benchmarks.data import (
    ENVIRONMENT,
    FEATURES,
    THEME,
    Rules,
    rules_of_all_shapes,
    rules_per_user,
    user_name,
    v1_response,
    value_for,
)
from benchmarks.floor import Floor, FloorOfOne, floor_for
from benchmarks.measures.canned import URL, CannedService, QueryResponse
from benchmarks.measures.program import async_client, declare, theme
from benchmarks.results import Row, write_rows
from benchmarks.sizes import SIZES, Size
from benchmarks.timing import Loop, per_call, repeated
from heksherlite import Setting

NAME = "cache_ttl"
REPEATED = 100
"""How many users come again and again in repeated contexts."""

kept: list[object] = []
"""Clients that settings take their defaults from."""


def loaded(rules: Rules, features: Sequence[str] = FEATURES) -> Setting[int]:
    """Return a setting with these rules, as a client loads them."""
    theme.set(THEME)
    setting = declare([NAME], features)[NAME]

    async def load() -> object:
        transport = CannedService(QueryResponse(v1_response({NAME: rules})))
        async with async_client(URL, transport=transport) as client:
            return client

    kept[:] = [asyncio.run(load())]
    return setting


def users_in(rules: Rules) -> set[str]:
    """Return the users that rules have conditions on."""
    return {value for conditions in rules for feature, value in conditions if feature == "user"}


def check(setting: Setting[int], floor: Floor, rules: Rules, users: Sequence[str]) -> None:
    """Check that both give what the rules say."""
    for user in users:
        expected = value_for(rules, user)
        assert setting.get(user=user) == floor.get(user=user) == expected, user


def loops_of(setting: Any, floor: Any, arguments: str) -> dict[str, Loop]:
    """Return the calls to compare."""
    call = f"subject.get({arguments})"
    return {"floor": Loop(call, subject=floor), "ours": Loop(call, subject=setting)}


def repeated_rows(what: str, rules: Rules, size: Size, hits: Sequence[str]) -> list[Row]:
    """Measure contexts that come again and again: users that a rule is about, and others."""
    setting, floor = loaded(rules), floor_for(rules, users_in(rules))
    rows = []
    for kind, users in (("hit", hits), ("miss", [f"stranger-{number}" for number in range(REPEATED)])):
        check(setting, floor, rules, users)
        samples = per_call(loops_of(setting, floor, "user=user"), repeated(users, size.calls, size.repeats))
        rows.append(Row("get", f"get, {what}, {kind}", "ns", samples["ours"], samples["floor"], 2))
    return rows


def random_row(what: str, rules: Rules, size: Size, known: Sequence[str]) -> Row:
    """Measure contexts that are new nearly every time, against the floor in the same contexts.

    The note compares with the floor in contexts that come again and again, where it has everything in the processor's
    cache.
    """
    setting, floor = loaded(rules), floor_for(rules, users_in(rules))
    drawn = random.Random(1)  # noqa: S311 - to have the same in every run
    everybody = [user_name(number) for number in range(size.users)]
    check(setting, floor, rules, drawn.choices(everybody, k=1000))
    batches = [drawn.choices(everybody, k=size.calls) for _ in range(size.repeats + 1)]
    samples = per_call(loops_of(setting, floor, "user=user"), batches)
    cached = per_call(
        {"floor": Loop("subject.get(user=user)", subject=floor)}, repeated(known, size.calls, size.repeats)
    )
    times = statistics.median(samples["ours"]) / statistics.median(cached["floor"])
    what = f"get, {what}, random over {size.users:,} users"
    return Row(
        "get", what, "ns", samples["ours"], samples["floor"], 8, note=f"x{times:.1f} the floor in repeated contexts"
    )


def bounded_memory_row(rules: Rules, size: Size) -> Row:
    """Measure whether what `get` remembers goes on growing with the number of users."""
    setting = loaded(rules)
    peaks = []
    tracemalloc.start()
    for start, stop in ((0, size.users // 5), (size.users // 5, size.users)):
        tracemalloc.reset_peak()
        for number in range(start, stop):
            setting.get(user=user_name(number))
        peaks.append(tracemalloc.get_traced_memory()[1])
    tracemalloc.stop()
    what = f"growth of what get keeps, after {size.users // 5:,} of {size.users:,} users"
    return Row(
        "get", what, "kB", [(peaks[1] - peaks[0]) / 1e3], (), 100, "value", f"kept at most: {peaks[1] / 1e3:.0f} kB"
    )


def one_feature() -> tuple[Setting[int], FloorOfOne]:
    """Return a setting of one feature, which is a constant, and its floor."""
    return loaded({(("environment", ENVIRONMENT),): 7}, ["environment"]), FloorOfOne({ENVIRONMENT: 7})


def one_feature_row(size: Size) -> Row:
    """Measure a setting of one feature, which is left out."""
    setting, floor = one_feature()
    assert setting.get() == floor.get() == 7
    loops = {**loops_of(setting, floor, ""), "as specified": Loop("subject.get_as_specified()", subject=floor)}
    samples = per_call(loops, repeated([""], size.calls, size.repeats))
    times = statistics.median(samples["as specified"]) / statistics.median(samples["floor"])
    what = "get, one feature with a constant default"
    note = f"a floor that also refuses other features: x{times:.2f}"
    return Row("get", what, "ns", samples["ours"], samples["floor"], 2, note=note)


def main() -> None:
    """Measure, and write the rows."""
    size = SIZES[sys.argv[1]]
    users = [user_name(number) for number in range(size.rules)]
    by_user = rules_per_user(size.rules)
    one_of_each = rules_of_all_shapes(8, unconditional=True)
    of_all_shapes = rules_of_all_shapes(size.rules, unconditional=False)
    # Those whose rule is of one of the shapes that are looked at last.
    last_found = [user for user in users if (("user", user),) in of_all_shapes][:REPEATED]
    rows = [
        *repeated_rows("1 rule", rules_per_user(1), size, users[:1]),
        *repeated_rows("8 rules of 8 shapes", one_of_each, size, users[:8]),
        *repeated_rows(f"{size.rules:,} rules of 1 shape", by_user, size, users[:REPEATED]),
        *repeated_rows(f"{size.rules:,} rules of all shapes", of_all_shapes, size, last_found),
        random_row("1 rule", rules_per_user(1), size, users[:1]),
        random_row(f"{size.rules:,} rules of 1 shape", by_user, size, users[:REPEATED]),
        random_row(f"{size.rules:,} rules of all shapes", of_all_shapes, size, last_found),
        bounded_memory_row(by_user, size),
        one_feature_row(size),
    ]
    write_rows(rows)


if __name__ == "__main__":
    main()
