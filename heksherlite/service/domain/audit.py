"""The audit record as values: who was given access, who used it, and who was denied."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from heksherlite.service.domain.authors import Author
from heksherlite.service.domain.json_values import Json
from heksherlite.service.domain.times import show_time

MOST_DENIALS: Final = 100_000
"""The number of denials that are kept. Clients without any rights can cause them, so the oldest ones make room."""


class Action(StrEnum):
    """What was done or attempted."""

    CREATE_TOKEN = "token.create"  # noqa: S105  # not a secret
    CHANGE_TOKEN = "token.change"  # noqa: S105
    REVOKE_TOKEN = "token.revoke"  # noqa: S105
    ROTATE_SIGNING_KEY = "signing_key.rotate"
    LOG_IN = "login"
    LOG_OUT = "logout"
    INVITE_APPLICATION = "application.invite"
    REGISTER_APPLICATION = "application.register"
    APPROVE_APPLICATION = "application.approve"
    DENY_APPLICATION = "application.deny"
    CHANGE_APPLICATION = "application.change"
    ACTIVATE_APPLICATION = "application.activate"
    ROTATE_CREDENTIALS = "application.rotate"
    REVOKE_APPLICATION = "application.revoke"
    PUT_GROUP = "group.put"
    DELETE_GROUP = "group.delete"
    PUT_SECRET = "secret.put"  # noqa: S105
    DELETE_SECRET = "secret.delete"  # noqa: S105
    CLAIM_CONFIGURATION = "configuration.claim"
    ISSUE_ACCESS_TOKEN = "access_token.issue"  # noqa: S105
    REVOKE_ACCESS_TOKEN = "access_token.revoke"  # noqa: S105
    BREAK_GLASS = "settings.break_glass"
    SEND_REQUEST = "request"


class AuditOutcome(StrEnum):
    """Whether it was done."""

    SUCCEEDED = "succeeded"
    DENIED = "denied"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """Something that the audit record keeps.

    Attributes:
        action: What was done or attempted.
        outcome: Whether it was done.
        actor: Who did it. For what was denied, who the request proved to be from.
        subject: The id of what it was done to: the public prefix of a token, the id of an application, or the name of a
            group, a secret or a setting. None if there is none.
        details: More about it, without secrets.
        count: The number of events that this one stands for. More than 1 if similar events were not recorded one by
            one; then only what they have in common is known.
    """

    action: Action
    actor: Author
    outcome: AuditOutcome = AuditOutcome.SUCCEEDED
    subject: str | None = None
    details: Mapping[str, Json] = field(default_factory=dict)
    count: int = 1


@dataclass(frozen=True, slots=True)
class DatedEvent:
    """An event and its time, in UTC, by the clock that all services on the database agree on."""

    time: datetime
    event: AuditEvent


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """A stored event. Later records have higher ids."""

    id: int
    dated: DatedEvent

    def as_json(self) -> dict[str, Any]:
        """Return the record as the API and exports show it."""
        event = self.dated.event
        return {
            "id": self.id,
            "time": show_time(self.dated.time),
            "action": event.action.value,
            "outcome": event.outcome.value,
            "actor": {
                "kind": event.actor.kind,
                "id": event.actor.id,
                "name": event.actor.name,
                "address": event.actor.address,
            },
            "subject": event.subject,
            "details": dict(event.details),
            "count": event.count,
        }
