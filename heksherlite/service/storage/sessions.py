"""Sessions of operators in the database, where every replica finds them."""

from typing import Final

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from heksherlite.service.domain.tokens import Token
from heksherlite.service.storage import tables
from heksherlite.service.storage.tokens import token_of
from heksherlite.service.storage.transactions import Transactions

_sessions: Final = tables.operator_sessions.c
_tokens: Final = tables.tokens.c


class Sessions:
    """Who is logged in with which token. A session ends with its token.

    Every method raises `DatabaseUnavailableError` if the database cannot be reached.

    Args:
        transactions: Those of the database.
    """

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    async def begin(self, digest: bytes, token: Token, *, now: float, seconds: int) -> bool:
        """Begin a session, and forget those that have ended by themselves.

        Args:
            digest: The digest of the secret that the cookie holds.
            token: What the operator logs in with.
            now: The time, in seconds since the epoch.
            seconds: How long it lasts at most.

        Returns:
            False if this is no token that was made for people, or not any more; then no session begins.
        """
        row = {"digest": digest.hex(), "public_prefix": token.public_prefix, "expires_at": int(now) + seconds}

        async def work(connection: AsyncConnection) -> bool:
            await connection.execute(delete(tables.operator_sessions).where(_sessions.expires_at <= now))
            same = select(_tokens.name).where(_tokens.public_prefix == token.public_prefix)
            if (await connection.execute(same)).first() is None:
                return False
            await connection.execute(insert(tables.operator_sessions).values(row))
            return True

        return await self._transactions.write(work)

    async def token(self, digest: bytes, *, now: float) -> Token | None:
        """Return the token of a session, or None if there is no such session any more."""
        found = (
            select(tables.tokens)
            .join(tables.operator_sessions)
            .where(_sessions.digest == digest.hex(), _sessions.expires_at > now)
        )

        async def work(connection: AsyncConnection) -> Token | None:
            row = (await connection.execute(found)).first()
            token = None if row is None else token_of(row)
            return None if token is None or token.expired(now) else token

        return await self._transactions.read(work)

    async def end(self, digest: bytes) -> None:
        """End a session, if there is such a one."""

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(delete(tables.operator_sessions).where(_sessions.digest == digest.hex()))

        await self._transactions.write(work)
