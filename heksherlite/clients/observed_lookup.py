"""A lookup that reports which values are read."""

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from heksherlite.clients.forking import InheritedLookup
from heksherlite.contexts import ContextCompletion
from heksherlite.errors import ContextValueError, MissingContextError
from heksherlite.lookup import DefaultSource, Lookup

_REPORTED: Final = 10_000
"""The maximum number of contexts that a lookup remembers as reported. Then it begins again."""


class Read(NamedTuple):
    """One read of a setting.

    Attributes:
        context: The text for each context feature; empty if the read failed.
        error: Why the read failed, or ``None``.
    """

    context: Sequence[str]
    error: Exception | None = None

    def result(self, lookup: Lookup) -> tuple[str, str]:
        """Return the variant and the reason of the value, as OpenFeature calls them, in lower case."""
        winner = lookup.rules.winner(self.context)
        if winner is not None:
            return f"rule:{winner.rule_id}", "targeting_match"
        variant = "operator_default" if lookup.default_source == "operator" else "default"
        return variant, "default" if lookup.rules.shapes else "static"


Report = Callable[["ObservedLookup", Read], None]


def observing(report: Report, *, every_read: bool) -> Callable[[Lookup], Lookup]:
    """Return a function that returns a lookup which observes another one."""
    observed = EveryRead if every_read else ObservedLookup

    def observe(lookup: Lookup) -> Lookup:
        if isinstance(lookup, InheritedLookup):
            return InheritedLookup(observed(lookup.original.observed(), report), lookup.use)
        return observed(lookup.observed(), report)

    return observe


class ObservedLookup(Lookup):
    """A lookup that reports each distinct context once. A value that is cached is found without this class.

    Args:
        original: The lookup with the values.
        report: Called with this lookup and the read.
    """

    __slots__ = ("_original", "_report", "_reported")

    def __init__(self, original: Lookup, report: Report) -> None:
        super().__init__(
            original.setting_name,
            original.rules,
            original.default,
            original.contexts,
            original.default_source,
            original.rejected,
        )
        self._original = original
        self._report = report
        self._reported: set[Any] = set()

    @property
    def loaded(self) -> bool:
        """Whether rules and default are from a service or a stub."""
        return self._original.loaded

    def observed(self) -> Lookup:
        """Return the lookup that this one observes."""
        return self._original

    def with_default(self, default: Any, default_source: DefaultSource) -> Lookup:
        """Return a lookup with another default, which nobody observes yet."""
        return self._original.with_default(default, default_source)

    def with_contexts(self, contexts: ContextCompletion) -> Lookup:
        """Return a lookup with another completion of contexts, which nobody observes yet."""
        return self._original.with_contexts(contexts)

    def __missing__(self, key: Any) -> Any:
        """Return the value, and report it if its context is new."""
        value = self._read(key)
        if key in self._original:
            if len(self) >= _REPORTED:
                self.clear()
            self[key] = value
        return value

    def _read(self, key: Any, *, again: bool = False) -> Any:
        try:
            value = self._original[key]
        except (MissingContextError, ContextValueError) as error:
            self._tell(str(error), Read((), error), again=again)
            raise
        given = key if len(self.contexts.constants) > 1 else (key,)
        name = self.setting_name
        context = self.contexts.complete(name, self.contexts.texts(name, given)) or ()
        self._tell(tuple(context), Read(context), again=again)
        return value

    def _tell(self, subject: Any, read: Read, *, again: bool) -> None:
        if subject in self._reported and not again:
            return
        if len(self._reported) >= _REPORTED:
            self._reported.clear()
        self._reported.add(subject)
        self._report(self, read)


class EveryRead(ObservedLookup):
    """A lookup that reports each read."""

    __slots__ = ()

    def __getitem__(self, key: Any) -> Any:
        """Return the value, and report it."""
        return self._read(key, again=True)
