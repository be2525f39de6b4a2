"""How much is measured: everything, what two minutes allow, or just enough to see that it works."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Size:
    """The amounts of one run.

    Attributes:
        rules: Rules of the large settings.
        users: Distinct users in random contexts.
        repeats: Samples of each quick measurement.
        calls: Calls per sample of these.
        loads: Samples of each load and reload.
        unchanged: Reloads without news per sample, for one takes too little to be measured.
        stalls: Samples of each stall, which take seconds each.
        kept_rules: Numbers of rules to measure memory with.
        reloaded_rules: How many to reload for the growth of memory, which is slow while allocations are traced.
        imports: Fresh processes that import the package.
        peer_seconds: How long a sample of a peer takes, in seconds.
    """

    rules: int
    users: int
    repeats: int
    calls: int
    loads: int
    unchanged: int
    stalls: int
    kept_rules: tuple[int, ...]
    reloaded_rules: int
    imports: int
    peer_seconds: float


SIZES: Final[Mapping[str, Size]] = {
    "full": Size(100_000, 1_000_000, 15, 50_000, 7, 20, 5, (100_000, 1_000_000), 100_000, 40, 0.2),
    "quick": Size(100_000, 1_000_000, 7, 10_000, 3, 20, 1, (100_000,), 5_000, 10, 0.02),
    "smallest": Size(200, 1_000, 2, 100, 2, 2, 1, (200,), 200, 2, 0.001),
}
