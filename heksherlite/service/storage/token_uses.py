"""When each token was last used. It is written rarely, and no service reloads because of it."""

import logging
from collections.abc import Mapping
from typing import Final

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from heksherlite.service.domain.tokens import Tokens
from heksherlite.service.storage.database import Database
from heksherlite.service.storage.tables import token_uses
from heksherlite.service.storage.writing import Writer

_logger = logging.getLogger(__name__)

INTERVAL: Final = 3600
"""How long the further use of a token is not stored after it was stored, in seconds."""


class TokenUses:
    """When the tokens of a database were last used.

    Args:
        database: The database, already prepared.
        writer: What writes to it.

    Attributes:
        used: The public prefixes of the tokens that were used since the last write. Requests add to it.
    """

    def __init__(self, database: Database, writer: Writer) -> None:
        self.used: set[str] = set()
        self._database = database
        self._writer = writer
        self._stored: dict[str, float] = {}
        self._warned: set[tuple[str, int | None]] = set()

    async def write_due(self, now: float) -> None:
        """Store that tokens were used, each at most once per `INTERVAL`.

        Args:
            now: The time, in seconds since the epoch.

        Raises:
            DatabaseUnavailableError: The database cannot be used; the uses are stored later.
        """
        due = sorted(prefix for prefix in self.used if now - self._stored.get(prefix, -INTERVAL) >= INTERVAL)
        if due:

            async def write(connection: AsyncConnection) -> None:
                for public_prefix in due:
                    await _write(connection, public_prefix, int(now))

            await self._writer.write(write)
            self._stored.update(dict.fromkeys(due, now))
        self.used.clear()

    async def all(self) -> Mapping[str, int]:
        """Return when each token was last used, in seconds since the epoch, by its public prefix.

        Raises:
            DatabaseUnavailableError: The database cannot be used.
        """
        async with self._database.reading() as connection:
            rows = await connection.execute(select(token_uses))
            return {row.public_prefix: row.last_used_at for row in rows}

    def warn_of_expiry(self, tokens: Tokens, now: float) -> None:
        """Log once for each token that it expires soon."""
        for token in tokens.values():
            key = (token.public_prefix, token.expires_at)
            if key not in self._warned and token.expires_soon(now):
                self._warned.add(key)
                left = max(0, int((token.expires_at or 0) - now))
                extra = {"token": token.name, "public_prefix": token.public_prefix, "expires_in": left}
                _logger.warning("a token expires soon: %s, in %d hours", token.name, left // 3600, extra=extra)


async def _write(connection: AsyncConnection, public_prefix: str, now: int) -> None:
    known = token_uses.c.public_prefix == public_prefix
    later = update(token_uses).where(known, token_uses.c.last_used_at < now).values(last_used_at=now)
    if (await connection.execute(later)).rowcount:
        return
    if await connection.scalar(select(token_uses.c.last_used_at).where(known)) is None:
        await connection.execute(insert(token_uses).values(public_prefix=public_prefix, last_used_at=now))
