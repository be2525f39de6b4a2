"""What the audit record keeps of a write to the access state. It follows from the write, so none can be forgotten."""

from collections.abc import Iterator
from typing import Any, Final, TypeAlias

from heksherlite.service.domain.access.state import AccessChanges, AccessState
from heksherlite.service.domain.applications import Application, Status
from heksherlite.service.domain.audit import Action, AuditEvent
from heksherlite.service.domain.authors import Author, Cause
from heksherlite.service.domain.groups import references
from heksherlite.service.domain.sessions import Session
from heksherlite.service.domain.tokens import Token

_Happened: TypeAlias = tuple[Action, str | None, dict[str, Any]]
"""What was done, to which subject, and more about it."""

_ADDED: Final = {
    Status.INVITED: Action.INVITE_APPLICATION,
    Status.PUBLIC: Action.REGISTER_APPLICATION,
    Status.APPROVED: Action.APPROVE_APPLICATION,
}


def audit_events(before: AccessState, changes: AccessChanges, cause: Cause) -> Iterator[AuditEvent]:
    """Yield the events of a write.

    Args:
        before: The state before the write.
        changes: What it changes.
        cause: Who makes it, and why.
    """
    reason = {} if cause.reason is None else {"reason": cause.reason}
    for happened in (_to_tokens, _to_applications, _to_groups, _to_secrets):
        for action, subject, details in happened(before, changes):
            yield AuditEvent(action=action, actor=cause.author, subject=subject, details={**details, **reason})
    for _ in changes.revoked_access_tokens:  # an application revokes its own
        yield AuditEvent(action=Action.REVOKE_ACCESS_TOKEN, actor=cause.author, subject=cause.author.id, details=reason)
    yield from _of_sessions(before, changes, cause)


def _to_tokens(before: AccessState, changes: AccessChanges) -> Iterator[_Happened]:
    for token in changes.tokens:
        known, details = before.tokens.get(token.public_prefix), _of_token(token)
        if known is None:
            yield Action.CREATE_TOKEN, token.public_prefix, details
        elif details != _of_token(known):
            yield Action.CHANGE_TOKEN, token.public_prefix, details
    if changes.signing_keys is not None:
        yield Action.ROTATE_SIGNING_KEY, None, {"at_once": changes.signing_keys.previous is None}
    for public_prefix in sorted(changes.removed_tokens):
        yield Action.REVOKE_TOKEN, public_prefix, {"name": before.tokens[public_prefix].name}


def _to_applications(before: AccessState, changes: AccessChanges) -> Iterator[_Happened]:
    for application in changes.applications:
        known = before.applications.get(application.id)
        yield _action(known, application), application.id, _of_application(application)
    for application_id in sorted(changes.removed_applications):
        identifier = before.applications[application_id].identifier
        yield Action.REVOKE_APPLICATION, application_id, {"identifier": identifier}
    for code in changes.device_codes:
        if code.decision == "denied":
            yield Action.DENY_APPLICATION, None, {"identifier": code.manifest.identifier}


def _to_groups(before: AccessState, changes: AccessChanges) -> Iterator[_Happened]:  # noqa: ARG001  # as the others
    for group in changes.groups:
        secrets = sorted(set(references(group.values)))
        yield Action.PUT_GROUP, group.name, {"keys": sorted(group.values), "secrets": secrets}
    for name in sorted(changes.removed_groups):
        yield Action.DELETE_GROUP, name, {}


def _to_secrets(before: AccessState, changes: AccessChanges) -> Iterator[_Happened]:  # noqa: ARG001
    for name, _ in changes.secrets:
        yield Action.PUT_SECRET, name, {}
    for name in sorted(changes.removed_secrets):
        yield Action.DELETE_SECRET, name, {}


def _of_sessions(before: AccessState, changes: AccessChanges, cause: Cause) -> Iterator[AuditEvent]:
    ended = [before.sessions[digest] for digest in sorted(changes.removed_sessions)]
    begun = [session for session in changes.sessions if session.digest not in before.sessions]
    for action, sessions in ((Action.LOG_OUT, ended), (Action.LOG_IN, begun)):
        for session in sessions:
            owner = _owner(before, session)
            actor = owner if cause.author.kind == "service" else cause.author
            yield AuditEvent(action=action, actor=actor, subject=owner.id)


def _owner(before: AccessState, session: Session) -> Author:
    if session.public_prefix is None:
        return Author("person", session.person, session.address, session.person)
    token = before.tokens.get(session.public_prefix)
    return Author("token", None if token is None else token.name, session.address, session.public_prefix)


def _action(before: Application | None, after: Application) -> Action:
    if before is None:
        return _ADDED[after.status]
    if before.status is not after.status:
        return Action.ACTIVATE_APPLICATION
    if before.digests != after.digests:
        return Action.ROTATE_CREDENTIALS
    return Action.CHANGE_APPLICATION


def _of_token(token: Token) -> dict[str, Any]:
    described = token.described()
    return {each: described[each] for each in ("name", "owner", "scopes", "setting_prefix", "expires_at")}


def _of_application(application: Application) -> dict[str, Any]:
    approval = application.approval
    return {
        "identifier": application.identifier,
        "scopes": sorted(approval.scopes),
        "setting_prefix": approval.setting_prefix,
        "groups": list(approval.groups),
        "expires_at": application.expires_at,
        "previous_expires_at": application.previous and application.previous.expires_at,
    }
