"""Writes to the sessions of people, and what a session allows."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from heksherlite.service.domain.access.state import AccessChanges, AccessDecision, AccessState
from heksherlite.service.domain.sessions import Owner, Session
from heksherlite.service.domain.tokens import Access, Token


@dataclass(frozen=True, slots=True)
class ActiveSession:
    """A session that has not ended.

    Attributes:
        session: The session.
        token: The token that the person logged in with; None if an identity provider identified the person.
    """

    session: Session
    token: Token | None

    @property
    def name(self) -> str:
        """The person, or else the name of the token."""
        return self.session.person or (self.token.name if self.token else "")

    @property
    def access(self) -> Access:
        """What the person may do."""
        return self.token.access if self.token else self.session.granted


def begin(state: AccessState, session: Session, now: float) -> AccessDecision[bool]:
    """Begin a session, and delete those that have expired.

    The result is False, and no session begins, if its token does not exist or belongs to an application.
    """
    if session.public_prefix is not None and session.public_prefix not in state.tokens:
        return AccessDecision(result=False)
    return AccessDecision(result=True, changes=AccessChanges(sessions=(session,), sessions_expired_before=int(now)))


def touch(state: AccessState, digest: bytes, now: float) -> AccessDecision[None]:
    """Note that a session is used."""
    session = state.sessions.get(digest)
    if session is None or session.last_used_at >= int(now):
        return AccessDecision(None)
    return AccessDecision(None, AccessChanges(sessions=(replace(session, last_used_at=int(now)),)))


def end(state: AccessState, digest: bytes) -> AccessDecision[None]:
    """End a session if it exists."""
    return AccessDecision(None, AccessChanges(removed_sessions=frozenset({digest} & state.sessions.keys())))


def end_by_id(state: AccessState, session_id: str, owner: Owner | None) -> AccessDecision[bool]:
    """End a session by its public id; the result is whether it existed.

    Args:
        state: The state with all sessions.
        session_id: The public id.
        owner: Whose session it must be; None for anybody's.
    """
    found = frozenset(
        digest
        for digest, session in state.sessions.items()
        if session.id == session_id and owner in (None, session.owner)
    )
    return AccessDecision(bool(found), AccessChanges(removed_sessions=found))


def find(state: AccessState, digest: bytes, now: float, idle_timeout: float) -> ActiveSession | None:
    """Return a session, or None if it or its token does not exist or has ended."""
    session = state.sessions.get(digest)
    return None if session is None else _active(state, session, now, idle_timeout)


def list_active(state: AccessState, now: float, idle_timeout: float) -> Sequence[ActiveSession]:
    """Return all sessions that have not ended, the oldest first."""
    found = [_active(state, session, now, idle_timeout) for session in state.sessions.values()]
    return sorted([each for each in found if each is not None], key=lambda each: each.session.created_at)


def _active(state: AccessState, session: Session, now: float, idle_timeout: float) -> ActiveSession | None:
    if session.ended(now, idle_timeout):
        return None
    if session.public_prefix is None:
        return ActiveSession(session, None)
    token = state.tokens.get(session.public_prefix)
    return None if token is None or token.expired(now) else ActiveSession(session, token)
