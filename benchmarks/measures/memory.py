"""The memory that rules take, as `tracemalloc` counts it: what Python allocated and did not free."""

import asyncio
import gc
import sys
import tracemalloc
from collections.abc import Callable

from benchmarks.data import Rules, many_settings, one_setting, v1_answer
from benchmarks.measures.canned import URL, CannedService, QueryAnswer
from benchmarks.measures.program import async_client, declare
from benchmarks.results import Row, write_rows
from benchmarks.sizes import SIZES

_RELOADS = 20


def allocated() -> int:
    """Return the bytes that are in use."""
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


async def measure(what: str, make: Callable[[int], dict[str, Rules]], *, reloads: int) -> list[Row]:
    """Measure what is kept after a load, and after many.

    Args:
        what: The settings in words.
        make: Makes them, with values that are larger by its argument.
        reloads: How many reloads with every rule changed come after the first load.
    """
    settings = make(0)
    rules = sum(map(len, settings.values()))
    answers = [QueryAnswer(v1_answer(make(add))) for add in ((0, 1) if reloads else (0,))]
    declared = declare(settings)
    # Without rules at first, so that what the client and the settings take by themselves is not counted.
    transport = CannedService(QueryAnswer(v1_answer({name: {} for name in settings})))
    async with async_client(URL, transport=transport) as client:
        tracemalloc.start()
        try:
            await client.reload()
            before = allocated()
            transport.answer = answers[0]
            await client.reload()
            after = allocated()
            for number in range(1, reloads + 1):
                transport.answer = answers[number % 2]
                await client.reload()
            growth = allocated() - after
        finally:
            tracemalloc.stop()
        for name, expected in settings.items():
            ((_, user),), value = list(expected.items())[-1]
            assert declared[name].get(user=user) == value, name
    rows = [Row("memory", f"kept per rule, {what}", "bytes", [(after - before) / rules], (), 160, "value")]
    if reloads:
        grown = f"growth of that by {reloads} reloads with every rule changed, {what}"
        rows.append(Row("memory", grown, "bytes", [growth / rules], (), 1, "value"))
    return rows


def main() -> None:
    """Measure, and write the rows."""
    size = SIZES[sys.argv[1]]
    rows = []
    for rules in size.kept_rules:
        reloads = _RELOADS if rules == size.kept_rules[0] else 0
        each = max(1, rules // 1000)
        many, one = (
            lambda add, rules=rules, each=each: many_settings(rules, each=each, add=add),
            lambda add, rules=rules: one_setting(rules, add=add),
        )
        what = f"{rules:,} rules in {-(-rules // each):,} settings"
        rows += asyncio.run(measure(what, many, reloads=reloads))
        rows += asyncio.run(measure(f"{rules:,} rules in 1 setting", one, reloads=reloads))
    write_rows(rows)


if __name__ == "__main__":
    main()
