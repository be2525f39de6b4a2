"""The sessions of operators in a database, where every replica finds them."""

from functools import partial

from heksherlite.service.domain.access import sessions
from heksherlite.service.domain.authors import BY_SERVICE
from heksherlite.service.domain.sessions import Session
from heksherlite.service.domain.tokens import Token
from heksherlite.service.storage.access import AccessStore, Lookup


class Sessions:
    """Which operators are logged in, and with which token. A session ends with its token.

    Every method raises `DatabaseUnavailableError` if the database cannot be used. Times are in seconds since the epoch.

    Args:
        access: The access state in the database.
    """

    def __init__(self, access: AccessStore) -> None:
        self._access = access

    async def begin(self, digest: bytes, token: Token, *, now: float, seconds: int) -> bool:
        """Begin a session, and delete those that have expired.

        Args:
            digest: The digest of the secret in the cookie.
            token: The token that the operator logs in with.
            now: The time.
            seconds: How long the session lasts at most.

        Returns:
            False if the token does not exist, or belongs to an application; then no session begins.
        """
        session = Session(digest, token.public_prefix, int(now) + seconds)
        return await self._access.write(partial(sessions.begin, session=session, now=now), BY_SERVICE)

    async def token(self, digest: bytes, *, now: float) -> Token | None:
        """Return the token of a session, or None if the session does not exist or has expired."""
        return sessions.token_of(await self._access.read(Lookup(session=digest)), digest, now)

    async def end(self, digest: bytes) -> None:
        """End a session if it exists."""
        await self._access.write(partial(sessions.end, digest=digest), BY_SERVICE, Lookup(session=digest))
