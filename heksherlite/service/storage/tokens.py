"""Tokens in the database: services read them along with everything else, the command line writes them."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from heksherlite.service.domain.tokens import Scope, Token, Tokens, new_token
from heksherlite.service.storage import tables
from heksherlite.service.storage.database import Database
from heksherlite.service.storage.transactions import move_revision


async def read_tokens(connection: AsyncConnection) -> Tokens:
    """Return all tokens by their public prefix, the oldest first."""
    rows = await connection.execute(select(tables.tokens).order_by(tables.tokens.c.created_at, tables.tokens.c.name))
    return {row.public_prefix: token_of(row) for row in rows}


def token_of(row: Row[Any]) -> Token:
    """Return the token of a row of the table."""
    return Token(
        name=row.name,
        public_prefix=row.public_prefix,
        digest=bytes.fromhex(row.digest),
        scopes=frozenset(scope for scope in Scope if scope in row.scopes.split()),
        setting_prefix=row.setting_prefix,
        created_at=row.created_at,
        expires_at=row.expires_at,
    )


async def read_signing_key(connection: AsyncConnection) -> str:
    """Return the key that services sign with."""
    key = select(tables.keys.c.key).where(tables.keys.c.purpose == "signing")
    return str((await connection.execute(key)).scalar_one())


async def add_token(database: Database, token: Token) -> None:
    """Store a new token.

    Raises:
        ValueError: There is one of this name.
        DatabaseUnavailableError: The database cannot be reached.
    """
    async with database.writing() as connection:
        if any(known.name == token.name for known in (await read_tokens(connection)).values()):
            raise ValueError(f"there is a token named {token.name!r} already")
        await _insert(connection, token)


async def add_first_token(database: Database, *, now: float) -> str | None:
    """Store a token named ``admin`` with all scopes if there is no token at all.

    Returns:
        The token, or None if there is one already.

    Raises:
        DatabaseUnavailableError: The database cannot be reached.
    """
    async with database.writing() as connection:
        if await read_tokens(connection):
            return None
        text, token = new_token("admin", Scope, now=now)
        await _insert(connection, token)
        return text


async def remove_token(database: Database, name: str) -> bool:
    """Remove a token by its name or public prefix; return whether there was one.

    Raises:
        DatabaseUnavailableError: The database cannot be reached.
    """
    async with database.writing() as connection:
        columns = tables.tokens.c
        named = (columns.name == name) | (columns.public_prefix == name)
        removed = (await connection.execute(delete(tables.tokens).where(named))).rowcount
        if removed:
            await move_revision(connection)
        return bool(removed)


async def list_tokens(database: Database) -> Sequence[Token]:
    """Return all tokens, the oldest first.

    Raises:
        DatabaseUnavailableError: The database cannot be reached.
    """
    async with database.reading() as connection:
        return list((await read_tokens(connection)).values())


async def _insert(connection: AsyncConnection, token: Token) -> None:
    row = {
        "public_prefix": token.public_prefix,
        "name": token.name,
        "digest": token.digest.hex(),
        "scopes": " ".join(sorted(token.scopes)),
        "setting_prefix": token.setting_prefix,
        "created_at": token.created_at,
        "expires_at": token.expires_at,
    }
    await connection.execute(insert(tables.tokens).values(row))
    await move_revision(connection)
