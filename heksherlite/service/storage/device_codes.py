"""The device codes of a database: all services on it agree on the state of each."""

from functools import partial

from heksherlite.service.domain.access import device_codes
from heksherlite.service.domain.applications import Application, Approval
from heksherlite.service.domain.authors import BY_SERVICE, Cause
from heksherlite.service.domain.credentials import new_application_id, new_random_part
from heksherlite.service.domain.device_codes import LIFETIME, DeviceCode, code_digest, new_code
from heksherlite.service.domain.manifests import Manifest
from heksherlite.service.storage.access import AccessStore, Lookup


class DeviceCodes:
    """The device codes of a database.

    Every method raises `DatabaseUnavailableError` if the database cannot be used. What the decisions in
    `heksherlite.service.domain.access.device_codes` raise is raised here. Times are in seconds since the epoch.

    Args:
        access: The access state in the database.
    """

    def __init__(self, access: AccessStore) -> None:
        self._access = access

    async def find(self, code: str) -> DeviceCode | None:
        """Return what is known of a code, or None if it is unknown."""
        digest = code_digest(code)
        return (await self._access.read(Lookup(code=digest))).device_codes.get(digest)

    async def waiting(self, now: float, *, limit: int) -> list[DeviceCode]:
        """Return the newest codes that nobody has decided on yet, the newest first.

        Args:
            now: The time, in seconds since the epoch.
            limit: The maximum number of codes.
        """
        return await self._access.waiting_codes(now, limit=limit)

    async def start(self, manifest: Manifest, address: str | None, now: float, *, lifetime: int = LIFETIME) -> str:
        """Make a code for an application.

        Args:
            manifest: How the application introduces itself.
            address: The address that it asks from.
            now: The time.
            lifetime: How long the code can be used, in seconds.

        Returns:
            The code, of which only a digest is stored.
        """
        code = new_code()
        decide = partial(device_codes.start, code=code, manifest=manifest, address=address, now=now, lifetime=lifetime)
        await self._access.write(decide, BY_SERVICE, _lookup(code, now))
        return code

    async def open(self, code: str, manifest: Manifest | None, address: str | None, now: float) -> DeviceCode | None:
        """Note that a person has opened the page of a code.

        Args:
            code: The code. One that is unknown was chosen by the client.
            manifest: How the application introduces itself in the address of the page, or None. It is only used for a
                code that is unknown.
            address: The address that the page is opened from.
            now: The time.

        Returns:
            The code, or None if it is unknown and there is no manifest.
        """
        decide = partial(device_codes.open_page, code=code, manifest=manifest, address=address, now=now)
        return await self._access.write(decide, BY_SERVICE, _lookup(code, now))

    async def approve(self, code: str, approval: Approval, cause: Cause, now: float) -> Application:
        """Approve the application of a code.

        Args:
            code: A code that was opened, and not decided on.
            approval: What the application gets; of the scopes, only those that it asked for.
            cause: Who approves it, and why.
            now: The time.

        Returns:
            The application, which has no token yet.
        """
        decide = partial(
            device_codes.approve, code=code, approval=approval, application_id=new_application_id(), now=now
        )
        return await self._access.write(decide, cause, _lookup(code, now))

    async def deny(self, code: str, cause: Cause, now: float) -> None:
        """Deny the application of a code."""
        await self._access.write(partial(device_codes.deny, code=code, now=now), cause, _lookup(code, now))

    async def collect(self, code: str, cause: Cause, now: float) -> str | None:
        """Use up an approved code.

        Args:
            code: The code.
            cause: Which application collects its token.
            now: The time.

        Returns:
            The claim token of the application, or None if the code is not approved, or was used already.
        """
        decide = partial(device_codes.collect, code=code, random_part=new_random_part(), now=now)
        return await self._access.write(decide, cause, _lookup(code, now))


def _lookup(code: str, now: float) -> Lookup:
    return Lookup(code=code_digest(code), codes_expired_before=int(now) - device_codes.KEPT_SECONDS)
