"""The applications of a database."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from heksherlite.service.domain.access import applications
from heksherlite.service.domain.applications import Application, Approval
from heksherlite.service.domain.authors import Cause
from heksherlite.service.domain.credentials import Credentials, new_random_part, secret_digest
from heksherlite.service.domain.manifests import Manifest
from heksherlite.service.storage.access import AccessStore


class Applications:
    """The applications of a database.

    Every method raises `DatabaseUnavailableError` if the database cannot be used. What the decisions in
    `heksherlite.service.domain.access.applications` raise is raised here.

    Args:
        access: The access state in the database.
    """

    def __init__(self, access: AccessStore) -> None:
        self._access = access

    async def all(self) -> Sequence[Application]:
        """Return all applications, the oldest first."""
        return list((await self._access.read()).applications.values())

    async def with_last_use(self) -> Sequence[Application]:
        """Return all applications, the oldest first, with the time of their last use."""
        used = await self._access.token_uses.all()
        return [replace(known, last_used_at=used.get(known.token_prefix)) for known in await self.all()]

    async def get(self, application_id: str) -> Application | None:
        """Return the application with an id, or None if it does not exist, for example because it was revoked."""
        return (await self._access.read()).applications.get(application_id)

    async def public(self, identifier: str) -> Application | None:
        """Return the public application with an identifier, or None."""
        return applications.find_public(await self._access.read(), identifier)

    async def add(self, application: Application, cause: Cause) -> None:
        """Store an application that was invited or registered."""
        await self._access.write(partial(applications.add, application=application), cause)

    async def change_approval(
        self, ids: Sequence[str], edit: Callable[[Approval], Approval], cause: Cause
    ) -> Sequence[Application]:
        """Change the approval of applications.

        Args:
            ids: The ids of the applications.
            edit: Returns the new approval.
            cause: Who changes it, and why.

        Returns:
            The applications after the change.
        """
        return await self._access.write(partial(applications.change_approval, ids=ids, edit=edit), cause)

    async def set_expiry(self, ids: Sequence[str], expires_at: int | None, cause: Cause) -> Sequence[Application]:
        """Decide when the credentials of applications expire.

        Args:
            ids: The ids of the applications.
            expires_at: When they expire, in seconds since the epoch; None for never.
            cause: Who decides it, and why.

        Returns:
            The applications after the change.
        """
        return await self._access.write(partial(applications.set_expiry, ids=ids, expires_at=expires_at), cause)

    async def rotate(
        self, application_id: str, cause: Cause, *, now: float, previous_until: int, expires_at: int | None
    ) -> Credentials:
        """Replace the credentials of an application.

        Args:
            application_id: The id of the application.
            cause: Who replaces them, and why.
            now: The time, in seconds since the epoch.
            previous_until: Until when the present ones work as well, in seconds since the epoch.
            expires_at: Until when the new ones work; None for no limit.

        Returns:
            The new credentials.
        """
        decide = partial(
            applications.rotate,
            application_id=application_id,
            random_part=new_random_part(),
            now=now,
            previous_until=previous_until,
            expires_at=expires_at,
        )
        return await self._access.write(decide, cause)

    async def revoke(self, ids: Sequence[str], cause: Cause) -> Sequence[Application]:
        """Remove applications; their tokens and one-time tokens no longer work.

        Args:
            ids: The ids of the applications.
            cause: Who revokes them, and why.

        Returns:
            The applications that were removed.
        """
        return await self._access.write(partial(applications.revoke, ids=ids), cause)

    async def revoke_access_token(self, text: str, cause: Cause, *, expires_at: int, now: float) -> None:
        """Revoke an access token.

        Args:
            text: The access token.
            cause: Who revokes it, and why.
            expires_at: When it has expired in any case, in seconds since the epoch.
            now: The time, in seconds since the epoch.
        """
        decide = partial(applications.revoke_access_token, digest=secret_digest(text), expires_at=expires_at, now=now)
        await self._access.write(decide, cause)

    async def redeem(self, one_time_token: str, manifest: Manifest, cause: Cause, now: float) -> str | None:
        """Exchange a one-time token.

        Returns:
            The claim token of the application, or None if the one-time token is unknown, used, expired, or for another
            identifier.
        """
        decide = partial(
            applications.redeem,
            one_time_token=one_time_token,
            manifest=manifest,
            random_part=new_random_part(),
            now=now,
        )
        return await self._access.write(decide, cause)
