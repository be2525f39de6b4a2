"""Writes to tokens."""

from heksherlite.service.domain.access.state import AccessChanges, AccessDecision, AccessState
from heksherlite.service.domain.tokens import Token


def add(state: AccessState, token: Token) -> AccessDecision[None]:
    """Add a token.

    Raises:
        ValueError: Another token has the same name.
    """
    if any(known.name == token.name for known in state.tokens.values()):
        raise ValueError(f"there is a token named {token.name!r} already")
    return AccessDecision(None, AccessChanges(tokens=(token,)))


def add_first(state: AccessState, token: Token) -> AccessDecision[bool]:
    """Add a token if none exists. The result is whether it was added."""
    if state.tokens:
        return AccessDecision(result=False)
    return AccessDecision(result=True, changes=AccessChanges(tokens=(token,)))


def remove(state: AccessState, name: str) -> AccessDecision[bool]:
    """Remove a token by its name or public prefix. The result is whether it existed."""
    found = [token.public_prefix for token in state.tokens.values() if name in (token.name, token.public_prefix)]
    return AccessDecision(bool(found), AccessChanges(removed_tokens=frozenset(found)))
