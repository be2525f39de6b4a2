"""How much is measured."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """The sizes of all measurements; the defaults are those that the targets are about."""

    repeats: int = 7
    seconds: float = 3.0
    settings: int = 100
    rules_each: int = 100
    filtered_settings: int = 100
    filtered_rules_each: int = 1_000
    filters: int = 100
    writes: int = 1_000
    changes: int = 1_000
    large_settings: int = 100
    large_rules_each: int = 10_000
    streams: int = 10_000
    programs: int = 50
    operations: int = 10_000
    previewed_operations: int = 1_000
    explained_rules: int = 100_000
    file_settings: int = 5_000
    file_rules_each: int = 20


QUICK = Sizes(
    repeats=2,
    seconds=0.1,
    settings=3,
    rules_each=3,
    filtered_settings=3,
    filtered_rules_each=20,
    filters=3,
    writes=5,
    changes=5,
    large_settings=2,
    large_rules_each=500,
    streams=20,
    programs=2,
    operations=20,
    previewed_operations=10,
    explained_rules=100,
    file_settings=3,
    file_rules_each=2,
)
