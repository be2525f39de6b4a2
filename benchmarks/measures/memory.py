"""The memory that rules take, as `tracemalloc` counts it: what Python allocated and did not free."""

import asyncio
import gc
import sys
import tracemalloc
from collections.abc import Callable, Mapping

from benchmarks.data import Rules, many_settings, one_setting, v1_response
from benchmarks.measures.canned import URL, CannedService, QueryResponse
from benchmarks.measures.program import async_client, declare
from benchmarks.results import Row, write_rows
from benchmarks.sizes import SIZES

_RELOADS = 20


def allocated() -> int:
    """Return the bytes that are in use."""
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


class Subject:
    """Settings whose rules come from memory, and a client that counts what they take.

    Args:
        make: Makes the settings, with values that are larger by its argument.
    """

    def __init__(self, make: Callable[[int], dict[str, Rules]]) -> None:
        self.settings = make(0)
        self.rules = sum(map(len, self.settings.values()))
        self._responses = [QueryResponse(v1_response(make(add))) for add in (0, 1)]

    async def bytes_kept(self, reloads: int) -> tuple[int, int]:
        """Return the bytes that are kept after the first load, and how many more after reloads with other values.

        Args:
            reloads: How many, an even number.
        """
        declared = declare(self.settings)
        # Without rules at first, so that what the client and the settings take by themselves is not counted.
        transport = CannedService(QueryResponse(v1_response({name: {} for name in self.settings})))
        async with async_client(URL, transport=transport) as client:
            tracemalloc.start()
            try:
                await client.reload()
                before = allocated()
                transport.response = self._responses[0]
                await client.reload()
                after = allocated()
                for number in range(1, reloads + 1):
                    transport.response = self._responses[number % 2]
                    await client.reload()
                growth = allocated() - after
            finally:
                tracemalloc.stop()
            for name, rules in self.settings.items():
                ((_, user),), value = list(rules.items())[-1]
                assert declared[name].get(user=user) == value, name
        return after - before, growth


def subjects(rules: int) -> Mapping[str, Subject]:
    """Return settings with so many rules, by what they are in words."""
    each = max(1, rules // 1000)
    return {
        f"{rules:,} rules in {-(-rules // each):,} settings": Subject(
            lambda add: many_settings(rules, each=each, add=add)
        ),
        f"{rules:,} rules in 1 setting": Subject(lambda add: one_setting(rules, add=add)),
    }


def main() -> None:
    """Measure, and write the rows."""
    size = SIZES[sys.argv[1]]
    rows = []
    for count in size.kept_rules:
        for what, subject in subjects(count).items():
            kept, _ = asyncio.run(subject.bytes_kept(0))
            rows.append(Row("memory", f"kept per rule, {what}", "bytes", [kept / subject.rules], (), 160, "value"))
    for what, subject in subjects(size.reloaded_rules).items():
        _, growth = asyncio.run(subject.bytes_kept(_RELOADS))
        grown = f"growth of that by {_RELOADS} reloads with every rule changed, {what}"
        rows.append(Row("memory", grown, "kB", [growth / 1e3], (), 100, "value"))
    write_rows(rows)


if __name__ == "__main__":
    main()
