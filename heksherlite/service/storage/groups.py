"""Configuration groups and their secrets in the database."""

from collections.abc import Mapping, Sequence

import orjson
from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from heksherlite.service.domain.errors import BadRequestError, NotFoundError
from heksherlite.service.domain.groups import Group, check_name, check_references, references, secret_change
from heksherlite.service.domain.history import Cause
from heksherlite.service.storage import tables
from heksherlite.service.storage.applications import read_applications
from heksherlite.service.storage.transactions import Transactions, record

_groups = tables.configuration_groups
_secrets = tables.group_secrets


class Groups:
    """The configuration groups of a database, and the secrets that they refer to.

    Every method raises `DatabaseUnavailableError` if the database cannot be reached.

    Args:
        transactions: Those of the database.
    """

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    async def all(self) -> Sequence[Group]:
        """Return all groups by name, without secrets."""
        return await self._transactions.read(_read_groups)

    async def with_secrets(self) -> tuple[Mapping[str, Group], Mapping[str, str]]:
        """Return all groups by name, and the secrets that they refer to."""

        async def work(connection: AsyncConnection) -> tuple[Mapping[str, Group], Mapping[str, str]]:
            groups = {group.name: group for group in await _read_groups(connection)}
            return groups, await _read_secrets(connection)

        return await self._transactions.read(work)

    async def secret_names(self) -> Sequence[str]:
        """Return the names of all secrets, sorted."""
        return sorted(await self._transactions.read(_read_secrets))

    async def set(self, group: Group, cause: Cause) -> None:
        """Store a group in place of the one of its name.

        Raises:
            BadRequestError: There is no such secret as it refers to.
        """

        async def work(connection: AsyncConnection) -> None:
            check_references(group, await _read_secrets(connection))
            before = await _find(connection, group.name)
            contents = orjson.dumps(group.values).decode()
            if before is None:
                await connection.execute(insert(_groups).values(name=group.name, contents=contents))
            else:
                await connection.execute(update(_groups).where(_groups.c.name == group.name).values(contents=contents))
            if before != group:
                await record(connection, cause, [group.change(before)])

        await self._transactions.write(work)

    async def remove(self, name: str, cause: Cause) -> None:
        """Remove a group.

        Raises:
            NotFoundError: There is none.
            BadRequestError: It is attached to an application.
        """

        async def work(connection: AsyncConnection) -> None:
            group = await _find(connection, name)
            if group is None:
                raise NotFoundError(f"there is no configuration group {name!r}")
            users = [each for each in await read_applications(connection) if name in each.approval.groups]
            if users:
                described = ", ".join(f"{each.identifier} ({each.id})" for each in users[:5])
                raise BadRequestError(f"the group {name!r} is attached to {described}; detach it first")
            await connection.execute(delete(_groups).where(_groups.c.name == name))
            await record(connection, cause, [group.removal()])

        await self._transactions.write(work)

    async def set_secret(self, name: str, value: str, cause: Cause) -> None:
        """Store a secret in place of the one of its name; applications get it with their next claim.

        Raises:
            ValueError: The name is none, or the value is no text.
        """
        check_name("secret", name)
        if not value or "\0" in value:
            raise ValueError("a secret is a text that is not empty and has no NUL character")

        async def work(connection: AsyncConnection) -> None:
            known = name in await _read_secrets(connection)
            if known:
                await connection.execute(update(_secrets).where(_secrets.c.name == name).values(value=value))
            else:
                await connection.execute(insert(_secrets).values(name=name, value=value))
            await record(connection, cause, [secret_change(name, before=known, after=True)])

        await self._transactions.write(work)

    async def remove_secret(self, name: str, cause: Cause) -> None:
        """Remove a secret.

        Raises:
            NotFoundError: There is none.
            BadRequestError: A group refers to it.
        """

        async def work(connection: AsyncConnection) -> None:
            if name not in await _read_secrets(connection):
                raise NotFoundError(f"there is no secret {name!r}")
            if users := [group.name for group in await _read_groups(connection) if name in references(group.values)]:
                raise BadRequestError(f"the group {users[0]!r} refers to the secret {name!r}")
            await connection.execute(delete(_secrets).where(_secrets.c.name == name))
            await record(connection, cause, [secret_change(name, before=True, after=False)])

        await self._transactions.write(work)


async def _read_groups(connection: AsyncConnection) -> Sequence[Group]:
    rows = await connection.execute(select(_groups).order_by(_groups.c.name))
    return [Group(row.name, orjson.loads(row.contents)) for row in rows]


async def _find(connection: AsyncConnection, name: str) -> Group | None:
    rows = await connection.execute(select(_groups).where(_groups.c.name == name))
    row = rows.one_or_none()
    return None if row is None else Group(row.name, orjson.loads(row.contents))


async def _read_secrets(connection: AsyncConnection) -> Mapping[str, str]:
    rows = await connection.execute(select(_secrets))
    return {row.name: row.value for row in rows}
