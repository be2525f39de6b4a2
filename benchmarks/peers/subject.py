"""What each peer is asked: a flag ``cache_ttl`` with a value per targeted user, and a default for all others."""

import sys
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import TypeAlias

from benchmarks.floor import floor_for
from benchmarks.results import PeerResult, write_peer_results
from benchmarks.timing import Loop, calls_within, per_call, repeated

FLAG = "cache_ttl"
DEFAULT = 60
STRANGER = "stranger"

Get: TypeAlias = Callable[[str], object]
"""From a user to the value."""

Prepare: TypeAlias = Callable[[Mapping[str, int]], Get]
"""From the values of the targeted users to a function that gets the value for a user."""


def targeted(users: int) -> dict[str, int]:
    """Return as many users with a value of their own each."""
    return {f"user-{number:07d}": 1000 + number for number in range(users)}


def measure(package: str, prepare: Prepare) -> None:
    """Check a peer's responses, time them and write the result.

    The arguments of the process are the number of targeted users, that of repeats, and the seconds for each.

    Args:
        package: The name of the distribution.
        prepare: Sets the peer up.

    Raises:
        AssertionError: The peer gives a wrong response.
    """
    count, repeats, seconds = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    values = targeted(count)
    get = prepare(values)
    for user, value in {**values, STRANGER: DEFAULT}.items():
        assert get(user) == value, f"{package} says {get(user)!r} for {user}, not {value}"
    users = list(values)
    calls = calls_within(seconds, lambda: get(users[len(users) // 2]), at_most=100_000)
    # Spread over all of them, since some peers go through the rules one by one.
    spread_out = [users[number * len(users) // calls % len(users)] for number in range(calls)]
    floor = Loop(
        "floor.get(user=user)", floor=floor_for({(("user", user),): value for user, value in values.items()}, users)
    )
    floors = per_call({"floor": floor}, repeated(users, 10_000, repeats))["floor"]
    samples = per_call({"get": Loop("get(user)", get=get)}, repeated(spread_out, calls, repeats))["get"]
    # Before and after, for the clock of the processor may have changed in between.
    floors += per_call({"floor": floor}, repeated(users, 10_000, repeats))["floor"]
    write_peer_results([PeerResult(f"{package} {version(package)}", {count: samples}, {count: floors})])
