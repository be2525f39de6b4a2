"""The configuration groups of a database, and their secrets."""

from collections.abc import Mapping, Sequence
from functools import partial

from heksherlite.service.domain.access import groups
from heksherlite.service.domain.authors import Cause
from heksherlite.service.domain.groups import Group
from heksherlite.service.storage.access import AccessStore


class Groups:
    """The configuration groups of a database, and the secrets that they refer to.

    Every method raises `DatabaseUnavailableError` if the database cannot be used. What the decisions in
    `heksherlite.service.domain.access.groups` raise is raised here.

    Args:
        access: The access state in the database.
    """

    def __init__(self, access: AccessStore) -> None:
        self._access = access

    async def all(self) -> Sequence[Group]:
        """Return all groups by name, without secrets."""
        return list((await self._access.read()).groups.values())

    async def with_secrets(self) -> tuple[Mapping[str, Group], Mapping[str, str]]:
        """Return all groups by name, and the secrets that they refer to."""
        state = await self._access.read()
        return state.groups, state.secrets

    async def secret_names(self) -> Sequence[str]:
        """Return the names of all secrets, sorted."""
        return sorted((await self._access.read()).secrets)

    async def put(self, group: Group, cause: Cause) -> None:
        """Store a group in place of the one with the same name."""
        await self._access.write(partial(groups.put, group=group), cause)

    async def remove(self, name: str, cause: Cause) -> None:
        """Remove a group."""
        await self._access.write(partial(groups.remove, name=name), cause)

    async def put_secret(self, name: str, value: str, cause: Cause) -> None:
        """Store a secret in place of the one with the same name; applications get it with their next claim."""
        await self._access.write(partial(groups.put_secret, name=name, value=value), cause)

    async def remove_secret(self, name: str, cause: Cause) -> None:
        """Remove a secret."""
        await self._access.write(partial(groups.remove_secret, name=name), cause)
