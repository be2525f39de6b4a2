"""What a load results in: facts that were checked, and converted if the program has a class for them. No I/O."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from heksherlite.errors import FactsShapeError, GroupNotFound
from heksherlite.grants.expiry import ExpiryWatch
from heksherlite.grants.facts import Facts, find_keys, look_up
from heksherlite.grants.layers import LayeredFacts
from heksherlite.grants.watches import Watch

S = TypeVar("S")
M = TypeVar("M")


@dataclass(frozen=True, slots=True)
class Start(Generic[S]):
    """The facts of a program.

    Attributes:
        layered: The facts, and where they are from.
        facts: The facts, in which secret texts have a masked ``repr``. They must not be changed.
        settings: The facts as an instance of the class of the loader, or ``None`` if it has none.
    """

    layered: LayeredFacts = field(repr=False)
    facts: Facts = field(repr=False)
    settings: S | None = field(repr=False)

    @property
    def watches(self) -> tuple[Watch, ...]:
        """What tells that a source has changed, or that credentials end soon."""
        sources = tuple(watch for layer in self.layered.layers for watch in layer.watches)
        return sources + tuple(ExpiryWatch(expiry) for expiry in self.layered.expiries if not expiry.is_soon)

    def read(self, path: str | None, into: type[M]) -> M:
        """Return the value at a path as an instance of a class.

        Raises:
            GroupNotFound: If there is no value.
            FactsShapeError: If it does not fit the class. The error says where the offending values are from.
        """
        return convert(self.layered, look_up(self.facts, path), path, into)


def check(layered: LayeredFacts, assert_groups: Collection[str], into: type[S] | None) -> Start[S]:
    """Check facts, and convert them.

    Args:
        layered: The facts.
        assert_groups: The groups that must exist.
        into: The class for all facts, or ``None``.

    Raises:
        GroupNotFound: If one of the groups does not exist. The error names all of them.
        FactsShapeError: If the facts do not fit the class, whatever groups are missing. The error lists everything.
    """
    facts = layered.masked()
    missing = [group for group in sorted(assert_groups) if find_keys(facts, group) is None]
    settings: S | None = None
    if into is not None:
        problems = dict.fromkeys(missing, "it is missing")
        sources: dict[str, str] = {}
        try:
            settings = convert(layered, facts, None, into)
        except FactsShapeError as error:
            problems |= error.problems
            sources = error.sources
        if problems:
            raise FactsShapeError(None, problems, sources)
    if missing:
        others = f"these are missing too: {', '.join(missing[1:])}" if missing[1:] else ""
        raise GroupNotFound(missing[0], sorted(facts), others)
    return Start(layered, facts, settings)


def convert(layered: LayeredFacts, found: Any, path: str | None, into: type[M]) -> M:
    """Return a value of the facts as an instance of a class.

    Raises:
        FactsShapeError: If it does not fit. The error says where the offending values are from.
    """
    from heksherlite.grants.models import structure  # noqa: PLC0415 - requires an extra

    try:
        return structure(found, path, into)
    except FactsShapeError as error:
        raise FactsShapeError(path, error.problems, _sources(layered, path, error.problems)) from None


def _sources(layered: LayeredFacts, path: str | None, keys: Collection[str]) -> dict[str, str]:
    """Return the sources of offending keys, which are relative to the path or the path itself."""
    sources: dict[str, str] = {}
    for key in keys:
        whole = key if path is None or key == path else f"{path}.{key}"
        while (found := find_keys(layered, whole)) is None and "." in whole:  # an item of a list, or a missing key
            whole = whole.rpartition(".")[0]
        if found is not None and (source := layered.source_of(found)) is not None:
            sources[key] = source
    return sources
