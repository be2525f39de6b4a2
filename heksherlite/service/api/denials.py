"""Why a request is denied: noted where that is decided, and read where the audit record is made."""

from typing import Final

from starlette.types import Scope

from heksherlite.service.domain.audit import Action

DENIED_STATUSES: Final = frozenset({401, 403, 429})
"""The statuses of responses to requests that are denied."""

_DENIAL: Final = "heksherlite.denial"


def note_denial(scope: Scope, reason: str, action: Action = Action.SEND_REQUEST) -> None:
    """Note why a request is denied, for the record that is made when its response is sent.

    Args:
        scope: The scope of the request.
        reason: The reason, for people, without secrets.
        action: What was attempted.
    """
    scope["state"][_DENIAL] = (action, reason)


def noted_denial(scope: Scope) -> tuple[Action, str | None]:
    """Return what was attempted, and why it is denied, if that was noted."""
    noted: tuple[Action, str | None] = scope["state"].get(_DENIAL, (Action.SEND_REQUEST, None))
    return noted
