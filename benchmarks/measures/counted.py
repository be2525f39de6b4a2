"""Work whose instructions are counted: the program that ``benchmarks/instructions.py`` runs under valgrind.

Each process does one kind of work a given number of times, and ends without freeing anything. The work that two
numbers of times have in common, such as imports, is in both counts, and not in their difference.
"""

import asyncio
import itertools
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import orjson

from benchmarks.data import lines_response, rules_per_user, v1_response

CONTENT_TYPES: Final = {"lines": "application/x-ndjson", "v1": "application/json"}
EMPTY: Final = {"lines": lines_response({}), "v1": v1_response({})}


def parse(times: int, form: str, file: str) -> None:
    """Parse a response and keep the result, as the floor of the timings does."""
    body = Path(file).read_bytes()
    pieces = body.splitlines() if form == "lines" else [body]
    kept = [[orjson.loads(piece) for piece in pieces] for _ in range(times)]
    assert all(kept)


def load(times: int, form: str, file: str) -> None:
    """Start a client whose first load brings all rules (``times`` is 1), or none (``times`` is 0)."""
    import httpx  # noqa: PLC0415 - no other work needs it

    from benchmarks.measures.canned import URL, CannedService, QueryResponse  # noqa: PLC0415 - after main
    from benchmarks.measures.program import MeasuredAsyncClient, declare, set_apart  # noqa: PLC0415

    path = Path(file)
    names = [f"setting_{number:04d}" for number in range(int(path.stem))]
    headers = httpx.Headers({"Content-Type": CONTENT_TYPES[form], "ETag": '"1-counted"'})
    service = CannedService(QueryResponse(path.read_bytes() if times else EMPTY[form], headers))
    declared = declare(names)
    set_apart()

    def end() -> None:
        assert declared[names[0]].get(user="user-0000042") == (42 if times else 60)
        os._exit(0)

    async def start() -> None:
        async with MeasuredAsyncClient(URL, {"transport": service}, end):
            raise AssertionError("the update was never in force")

    asyncio.run(start())


def get(times: int, kind: str, subject: str) -> None:
    """Read a setting, or its floor, in contexts that come again and again."""
    from benchmarks.floor import floor_for  # noqa: PLC0415
    from benchmarks.measures.get import REPEATED, loaded, one_feature, users_in  # noqa: PLC0415

    if kind == "feature":
        read: Callable[..., object] = one_feature()[subject == "floor"].get
        for _ in range(times):
            read()
        return
    rules = rules_per_user(1)
    read = floor_for(rules, users_in(rules)).get if subject == "floor" else loaded(rules).get
    users = sorted(users_in(rules)) if kind == "hit" else [f"stranger-{number}" for number in range(REPEATED)]
    for user in users:
        read(user=user)
    for user in itertools.islice(itertools.cycle(users), times):
        read(user=user)


WORK: Final[Mapping[str, Callable[[int, str, str], Any]]] = {"parse": parse, "load": load, "get": get}


def main() -> None:
    """Do the work that the arguments name: a checkout to import from, the work, what of it, on what, and how often."""
    source, work, what, subject, times = sys.argv[1:]
    sys.path.insert(0, source)
    # Under valgrind everything takes longer, so work would be interrupted more often, at other places each time.
    time.perf_counter = itertools.repeat(0.0).__next__
    WORK[work](int(times), what, subject)
    os._exit(0)


if __name__ == "__main__":
    main()
