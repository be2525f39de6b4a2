"""Statements that return no rows, compiled once and executed by the driver itself.

SQLAlchemy's asynchronous layer takes longer for a small statement than the database does.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Protocol, TypeAlias

from sqlalchemy import Dialect, Executable

Row: TypeAlias = Mapping[str, Any]

_MOST_STATEMENTS: Final = 200


class Statements(Protocol):
    """What executes statements that return no rows: a connection, or something faster."""

    async def execute(self, statement: Executable, parameters: Row | Sequence[Row] | None = None, /) -> object:
        """Execute a statement once, or once for each of some rows of parameters."""
        ...


@dataclass(frozen=True, slots=True)
class CompiledStatement:
    """A statement in the SQL of a database, with named parameters.

    Attributes:
        text: The SQL.
    """

    text: str
    _given: Row
    _converters: Mapping[str, Any]

    def parameters(self, row: Row) -> Row:
        """Return the parameters as the driver takes them."""
        if not self._given and not self._converters:
            return row
        values = {**self._given, **row}
        for name, convert in self._converters.items():
            values[name] = convert(values[name])
        return values


def rows_of(parameters: Row | Sequence[Row] | None) -> Sequence[Row]:
    """Return one row for each time that a statement is to be executed."""
    return parameters if isinstance(parameters, Sequence) else [parameters or {}]


@lru_cache(_MOST_STATEMENTS)
def compiled(statement: Any, names: tuple[str, ...], dialect: Dialect) -> CompiledStatement:
    """Compile a statement, unless the same object was compiled before.

    So statements that are executed often are constants, with their parameters in rows.

    Args:
        statement: The statement, without lists of any length in it.
        names: The names of the parameters in each row.
        dialect: A dialect with named parameters. There is one for all databases of a kind.
    """
    found = statement.compile(dialect=dialect, column_keys=list(names) or None)
    given = {name: parameter.value for parameter, name in found.bind_names.items() if not parameter.required}
    converters = {
        name: convert
        for parameter, name in found.bind_names.items()
        if (convert := parameter.type.dialect_impl(dialect).bind_processor(dialect)) is not None
    }
    return CompiledStatement(str(found), given, converters)
