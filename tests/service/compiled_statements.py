"""SQL that was compiled once, for the databases of all tests."""

from typing import Any, TypeAlias

Key: TypeAlias = tuple[Any, ...]


class CompiledStatements:
    """A cache for SQLAlchemy, whose own is of one database only: each dialect has its statements, whoever made it."""

    def __init__(self) -> None:
        self._compiled: dict[Key, Any] = {}

    def get(self, key: Key) -> Any:
        dialect, *statement = key
        return self._compiled.get((type(dialect), *statement))

    def __setitem__(self, key: Key, compiled: Any) -> None:
        dialect, *statement = key
        self._compiled[type(dialect), *statement] = compiled
