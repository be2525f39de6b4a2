"""The sessions of people in a database, where every replica finds them."""

from collections.abc import Sequence
from contextlib import suppress
from functools import partial

from heksherlite.service.domain.access import sessions
from heksherlite.service.domain.access.sessions import ActiveSession
from heksherlite.service.domain.authors import BY_SERVICE, Cause
from heksherlite.service.domain.sessions import Owner, Session, touch_interval
from heksherlite.service.errors import DatabaseUnavailableError
from heksherlite.service.storage.access import AccessStore, Lookup

_ALL = Lookup(all_sessions=True)


class Sessions:
    """Who is logged in, and what they may do. A session ends with its token.

    Every method raises `DatabaseUnavailableError` if the database cannot be used. Times are in seconds since the epoch.

    Args:
        access: The access state in the database.
    """

    def __init__(self, access: AccessStore) -> None:
        self._access = access

    async def begin(self, session: Session, *, now: float) -> bool:
        """Begin a session, and delete those that have expired.

        Returns:
            False if the token of the session does not exist, or belongs to an application; then no session begins.
        """
        return await self._access.write(partial(sessions.begin, session=session, now=now), BY_SERVICE)

    async def use(self, digest: bytes, *, now: float, idle_timeout: float) -> ActiveSession | None:
        """Return a session, and note rarely that it is used.

        Args:
            digest: The digest of the secret in the cookie.
            now: The time.
            idle_timeout: After how long without use a session ends, in seconds.

        Returns:
            The session, or None if it does not exist or has ended.
        """
        lookup = Lookup(session=digest)
        active = sessions.find(await self._access.read(lookup), digest, now, idle_timeout)
        if active is not None and now - active.session.last_used_at >= touch_interval(idle_timeout):
            # Whoever is logged in remains so while the database can be read but not written. The store logs that.
            with suppress(DatabaseUnavailableError):
                await self._access.write(partial(sessions.touch, digest=digest, now=now), BY_SERVICE, lookup)
        return active

    async def list_active(self, *, now: float, idle_timeout: float) -> Sequence[ActiveSession]:
        """Return all sessions that have not ended, the oldest first."""
        return sessions.list_active(await self._access.read(_ALL), now, idle_timeout)

    async def end(self, digest: bytes) -> None:
        """End a session if it exists."""
        await self._access.write(partial(sessions.end, digest=digest), BY_SERVICE, Lookup(session=digest))

    async def end_by_id(self, session_id: str, *, owner: Owner | None, cause: Cause) -> bool:
        """End a session by its public id.

        Args:
            session_id: The public id.
            owner: Whose session it must be; None for anybody's.
            cause: Who ends it, and why.

        Returns:
            Whether the session existed.
        """
        return await self._access.write(partial(sessions.end_by_id, session_id=session_id, owner=owner), cause, _ALL)
