"""Timing of single calls. Standard library only: peers' environments import it."""

from collections.abc import Callable, Mapping, Sequence
from timeit import Timer


class Loop:
    """A statement, run once for each user of a list.

    Each loop is compiled on its own, because the interpreter specialises code for what it has met before, and what
    was measured earlier must not count.

    Args:
        statement: What to run; it finds the user as ``user``.
        names: What else it finds.
    """

    def __init__(self, statement: str, **names: object) -> None:
        locals_ = "\n".join(f"{name} = _{name}" for name in (*names, "users"))
        # timeit switches the garbage collector off, and programs have it on.
        setup = f"import gc\ngc.enable()\n{locals_}"
        self._globals: dict[str, object] = {f"_{name}": value for name, value in names.items()}
        self._timer = Timer(f"for user in users:\n    {statement}", setup, globals=self._globals)

    def nanoseconds(self, users: Sequence[str]) -> float:
        """Return what the loop takes per user, the looping included."""
        self._globals["_users"] = users
        return self._timer.timeit(number=1) / len(users) * 1e9


def per_call(loops: Mapping[str, Loop], batches: Sequence[Sequence[str]]) -> dict[str, list[float]]:
    """Time loops in turns, one batch of users after the other; the first batch only warms up.

    Returns:
        Nanoseconds per call by name, one sample per batch, without those of a loop that does nothing.
    """
    empty = Loop("pass")
    samples: dict[str, list[float]] = {name: [] for name in loops}
    for number, users in enumerate(batches):
        looping = min(empty.nanoseconds(users) for _ in range(3))
        for name, loop in loops.items():
            sample = loop.nanoseconds(users) - looping
            if number > 0:
                samples[name].append(sample)
    return samples


def repeated(users: Sequence[str], calls: int, repeats: int) -> list[list[str]]:
    """Return batches for `per_call` in which the same users come again and again."""
    batch = [users[number % len(users)] for number in range(calls)]
    return [batch] * (repeats + 1)


def calls_within(seconds: float, call: Callable[[], object], *, at_most: int) -> int:
    """Return how many calls take about so long, at least 10."""
    timer = Timer(call)
    timer.timeit(3)
    took = max(timer.timeit(10) / 10, 1e-9)
    return min(at_most, max(10, int(seconds / took)))
