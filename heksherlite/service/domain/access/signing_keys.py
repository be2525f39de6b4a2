"""Writes to the signing keys."""

from heksherlite.service.domain.access.state import AccessChanges, AccessDecision, AccessState
from heksherlite.service.domain.signing_keys import SigningKeys


def rotate(state: AccessState, *, key: str, at_once: bool, now: float) -> AccessDecision[None]:
    """Sign with a new key.

    Args:
        state: The state.
        key: The new key.
        at_once: Whether to refuse what the previous key signed at once, because others may know that key.
        now: The time, in seconds since the epoch.
    """
    previous = None if at_once else state.signing_keys.current
    return AccessDecision(None, AccessChanges(signing_keys=SigningKeys(key, previous, int(now))))
