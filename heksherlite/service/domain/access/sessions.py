"""Writes to the sessions of operators."""

from heksherlite.service.domain.access.state import AccessChanges, AccessDecision, AccessState
from heksherlite.service.domain.sessions import Session
from heksherlite.service.domain.tokens import Token


def begin(state: AccessState, session: Session, now: float) -> AccessDecision[bool]:
    """Begin a session, and delete those that have expired.

    The result is False, and no session begins, if its token does not exist or belongs to an application.
    """
    if session.public_prefix not in state.tokens:
        return AccessDecision(result=False)
    return AccessDecision(result=True, changes=AccessChanges(sessions=(session,), sessions_expired_before=int(now)))


def end(state: AccessState, digest: bytes) -> AccessDecision[None]:
    """End a session if it exists."""
    return AccessDecision(None, AccessChanges(removed_sessions=frozenset({digest} & state.sessions.keys())))


def token_of(state: AccessState, digest: bytes, now: float) -> Token | None:
    """Return the token of a session, or None if the session or its token does not exist or has expired."""
    session = state.sessions.get(digest)
    if session is None or session.expires_at <= now:
        return None
    token = state.tokens.get(session.public_prefix)
    return None if token is None or token.expired(now) else token
