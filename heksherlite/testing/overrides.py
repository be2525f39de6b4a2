"""Overrides of settings and of the context, for a block, a test, or a whole class of tests."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from types import TracebackType
from typing import Any, Self, TypeVar

from heksherlite.contexts import text_of
from heksherlite.names import nearest_name
from heksherlite.setting import Setting, existing_settings
from heksherlite.testing.decorating import decorated
from heksherlite.testing.layers import add_context, add_values

F = TypeVar("F", bound=Callable[..., Any] | type[Any])


class Undo(AbstractContextManager[None]):
    """Undoes an override at the end of a ``with`` block, or when it is called. It may be done twice."""

    def __init__(self, undo: ExitStack) -> None:
        self._undo = undo

    def __call__(self) -> None:
        """Undo the override now."""
        self._undo.close()

    def __enter__(self) -> None:
        """Do nothing: the override is there already."""

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Undo the override."""
        self._undo.close()


class Overrides(AbstractContextManager["Overrides"]):
    """Overrides that end together. It is the fixture ``heksher`` of pytest."""

    def __init__(self) -> None:
        self._all = ExitStack()

    def set(self, setting: Setting[Any] | str, value: Any, *, where: Mapping[str, Any] | None = None) -> Undo:
        """Give a setting a value.

        The last override of a setting that has a value for a context wins. Threads, tasks and forked processes see it.

        Args:
            setting: The setting, or its name or alias.
            value: The value, converted like a value from the service; or a list of :class:`~heksherlite.Rule`. If no
                rule matches, the setting has its default.
            where: The context features and values for which the value counts. In all other contexts, the setting has
                what it had before. ``None`` for all contexts.

        Returns:
            What undoes it earlier than the end of the test.

        Raises:
            LookupError: If there is no setting of this name.
            TypeError: If the value is not of the type of the setting, ``where`` is not a mapping, or a context value
                has no obvious text.
            ValueError: If the setting is not configurable by a feature in ``where``.
        """
        return self._until_undone(add_values(_find(setting), value, where))

    def context(self, /, **features: Any) -> Undo:
        """Let context features have values wherever ``get`` is called without them.

        What a request sets by a middleware counts more, and so do context variables that were set. Defaults of the
        client count less.

        Args:
            features: The values by context feature: texts, or what ``get`` accepts.

        Returns:
            What undoes it earlier than the end of the test.

        Raises:
            ValueError: If no setting is configurable by a feature.
            TypeError: If a value has no obvious text.
        """
        return self._until_undone(add_context(_texts(features)))

    def set_all(
        self,
        values: Mapping[Any, Any] | None = None,
        /,
        *,
        where: Mapping[str, Any] | None = None,
        **by_name: Any,
    ) -> Undo:
        """Give several settings values, all of them or, if one is wrong, none; see :func:`override`."""
        if values is not None and not isinstance(values, Mapping):
            raise TypeError(f"expected a mapping from settings, or their names, to values, not {values!r}")
        with ExitStack() as applied:
            for setting, value in [*(values or {}).items(), *by_name.items()]:
                applied.callback(add_values(_find(setting), value, where))
            undo = applied.pop_all()
        self._all.callback(undo.close)
        return Undo(undo)

    def close(self) -> None:
        """Undo everything."""
        self._all.close()

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Undo everything."""
        self.close()

    def _until_undone(self, remove: Callable[[], None]) -> Undo:
        undo = ExitStack()
        undo.callback(remove)
        self._all.callback(undo.close)
        return Undo(undo)


class override:  # noqa: N801 - used like a function
    """Give settings other values, in a ``with`` block or as a decorator.

    ::

        with override(cache_ttl=5):
            ...

        @override(cache_ttl=5)
        async def test_it(): ...

    A decorated function, coroutine function or generator has the values while it runs, each time; a generator also
    between its parts, so that a fixture of pytest may be one. A decorated class has them in its tests: in a
    :class:`unittest.TestCase` including ``setUp`` and ``tearDown``, in another class in its methods whose names begin
    with ``test``, ``setup_method`` and ``teardown_method``.

    The values are global to the process: threads, tasks and forked processes see them. The last override of a setting
    wins, and what ends is only this one, in whatever order overrides end.

    Args:
        values: Values by setting, or by name where the name is no Python identifier.
        where: The context features and values for which the values count; ``None`` for all contexts.
        by_name: Values by the name or alias of a setting. Names are looked up when the block begins.

    Raises:
        LookupError: When the block begins, if there is no setting of a name.
        TypeError: When the block begins, if a value is not of the type of its setting.
        ValueError: When the block begins, if a setting is not configurable by a feature in ``where``.
    """

    def __init__(
        self,
        values: Mapping[Any, Any] | None = None,
        /,
        *,
        where: Mapping[str, Any] | None = None,
        **by_name: Any,
    ) -> None:
        self._values = {**(values or {}), **by_name}
        self._where = where
        self._entered: list[Undo] = []

    def __enter__(self) -> Self:
        """Set the values."""
        self._entered.append(Overrides().set_all(self._values, where=self._where))
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Restore what was there before."""
        self._entered.pop()()

    def __call__(self, target: F) -> F:
        """Decorate a function or a class."""
        return decorated(target, lambda: override(self._values, where=self._where))


def context(**features: Any) -> AbstractContextManager[None]:
    """Return a context manager in whose block context features have values, for callers of ``get`` that omit them.

    Args:
        features: The values, as for :meth:`Overrides.context`. They count at once, before the block is entered.

    Raises:
        ValueError: If no setting is configurable by a feature.
        TypeError: If a value has no obvious text.
    """
    return Overrides().context(**features)


def _find(setting: Setting[Any] | str) -> Setting[Any]:
    if isinstance(setting, Setting):
        return setting
    if not isinstance(setting, str):
        raise TypeError(f"a setting or the name of one is needed, not {setting!r}")
    settings = existing_settings()
    for found in settings:
        if found.name == setting:
            return found
    for found in settings:
        if found.alias == setting:
            return found
    nearest = nearest_name(setting, [found.name for found in settings])
    hint = f"the nearest is {nearest!r}" if nearest else "import the module that defines it first"
    raise LookupError(f"there is no setting {setting!r} in this process; {hint}")


def _texts(features: Mapping[str, Any]) -> dict[str, str]:
    known = {feature for setting in existing_settings() for feature in setting.configurable_features}
    for feature, value in features.items():
        if feature not in known:
            nearest = nearest_name(feature, known)
            hint = f"; the nearest is {nearest!r}" if nearest else ""
            raise ValueError(f"no setting in this process is configurable by {feature!r}{hint}")
        if text_of(value) is None:
            raise TypeError(f"the value {value!r} of context feature {feature!r} has no obvious text")
    return {feature: text_of(value) or "" for feature, value in features.items()}
