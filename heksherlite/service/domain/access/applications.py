"""Writes to applications."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from heksherlite.service.domain.access.state import AccessChanges, AccessDecision, AccessState
from heksherlite.service.domain.applications import Application, Approval, Status, change
from heksherlite.service.domain.credentials import Credentials, application_of, credentials_of, matches
from heksherlite.service.domain.manifests import Manifest
from heksherlite.service.errors import BadRequestError, NotFoundError


def add(state: AccessState, application: Application) -> AccessDecision[None]:
    """Add an application that was invited or registered.

    Raises:
        BadRequestError: Its approval is invalid, or another public application has the same identifier.
    """
    check_approval(state, application.approval)
    if application.status is Status.PUBLIC and find_public(state, application.identifier) is not None:
        raise BadRequestError(f"{application.identifier!r} is registered already; revoke it first")
    return AccessDecision(None, AccessChanges(applications=(application,), history=(change(None, application),)))


def change_approval(
    state: AccessState, ids: Sequence[str], edit: Callable[[Approval], Approval]
) -> AccessDecision[Sequence[Application]]:
    """Change the approval of applications by their ids; the result is these applications afterwards.

    Raises:
        NotFoundError: One of them does not exist.
        BadRequestError: A new approval is invalid.
    """
    before = _with_ids(state, ids)
    after = [replace(application, approval=edit(application.approval)) for application in before]
    changed = [(old, new) for old, new in zip(before, after, strict=True) if new != old]
    for _, application in changed:
        check_approval(state, application.approval)
    changes = AccessChanges(
        applications=tuple(new for _, new in changed), history=tuple(change(old, new) for old, new in changed)
    )
    return AccessDecision(after, changes)


def set_expiry(state: AccessState, ids: Sequence[str], expires_at: int | None) -> AccessDecision[Sequence[Application]]:
    """Decide when the credentials of applications expire; the result is these applications afterwards.

    Args:
        state: The access state.
        ids: The ids of the applications.
        expires_at: When they expire, in seconds since the epoch; None for never.

    Raises:
        NotFoundError: One of them does not exist.
        BadRequestError: One of them has no credentials yet.
    """
    before = _with_ids(state, ids)
    for application in before:
        if application.digests is None:
            raise BadRequestError(
                f"the application {application.id} has no credentials yet; they can expire once it has collected them"
            )
    after = [replace(application, expires_at=expires_at) for application in before]
    changed = [(old, new) for old, new in zip(before, after, strict=True) if new != old]
    changes = AccessChanges(
        applications=tuple(new for _, new in changed), history=tuple(change(old, new) for old, new in changed)
    )
    return AccessDecision(after, changes)


def rotate(
    state: AccessState,
    application_id: str,
    *,
    random_part: str,
    now: float,
    previous_until: int,
    expires_at: int | None,
) -> AccessDecision[Credentials]:
    """Replace the credentials of an application; the result is the new ones.

    Args:
        state: The access state.
        application_id: The id of the application.
        random_part: The random part of its new claim token.
        now: The time, in seconds since the epoch.
        previous_until: Until when the present credentials work as well, in seconds since the epoch. The ones before
            them, which a rotation replaced, do not work any more.
        expires_at: Until when the new ones work; None for no limit.

    Raises:
        NotFoundError: The application does not exist.
        BadRequestError: It has no credentials yet, or the new ones would have expired already.
    """
    (before,) = _with_ids(state, [application_id])
    credentials = credentials_of(application_id, random_part)
    try:
        after = before.rotated(credentials.digests(), now=now, previous_until=previous_until, expires_at=expires_at)
    except ValueError as error:
        raise BadRequestError(str(error)) from error
    if after.status is Status.PUBLIC:
        after = replace(after, public_token=credentials.claim_token)
    return AccessDecision(credentials, AccessChanges(applications=(after,), history=(change(before, after),)))


def revoke(state: AccessState, ids: Sequence[str]) -> AccessDecision[Sequence[Application]]:
    """Remove applications by their ids; the result is those that were removed.

    Raises:
        NotFoundError: One of them does not exist.
    """
    revoked = _with_ids(state, ids)
    changes = AccessChanges(
        removed_applications=frozenset(application.id for application in revoked),
        history=tuple(change(application, None) for application in revoked),
    )
    return AccessDecision(revoked, changes)


def redeem(
    state: AccessState, one_time_token: str, manifest: Manifest, *, random_part: str, now: float
) -> AccessDecision[str | None]:
    """Make an invited application active in exchange for its one-time token.

    The result is its claim token, or None if the one-time token is unknown, expired or for another identifier.
    """
    application_id = application_of("invite", one_time_token)
    invited = None if application_id is None else state.applications.get(application_id)
    if invited is None or not matches(one_time_token, invited.invite_digest):
        return AccessDecision(None)
    if invited.identifier != manifest.identifier or invited.expired(now):
        return AccessDecision(None)
    credentials = credentials_of(invited.id, random_part)
    active = replace(
        invited,
        manifest=manifest,
        status=Status.ACTIVE,
        invite_digest=None,
        expires_at=None,
        digests=credentials.digests(),
    )
    changes = AccessChanges(applications=(active,), history=(change(invited, active),))
    return AccessDecision(credentials.claim_token, changes)


def find_public(state: AccessState, identifier: str) -> Application | None:
    """Return the public application with an identifier, or None."""
    public = (each for each in state.applications.values() if each.status is Status.PUBLIC)
    return next((each for each in public if each.identifier == identifier), None)


def check_approval(state: AccessState, approval: Approval, requested: Sequence[str] | None = None) -> None:
    """Check that an approval refers only to what exists, and to scopes that were requested.

    Raises:
        BadRequestError: It does not.
    """
    approval.check(context_features=state.context_features, groups=state.groups, asked=requested)


def _with_ids(state: AccessState, ids: Sequence[str]) -> Sequence[Application]:
    for application_id in ids:
        if application_id not in state.applications:
            raise NotFoundError(f"there is no application with the ID {application_id[:100]!r}")
    return [state.applications[application_id] for application_id in dict.fromkeys(ids)]


def revoke_access_token(state: AccessState, *, digest: bytes, expires_at: int, now: float) -> AccessDecision[None]:
    """Refuse an access token until it has expired, and forget the access tokens that have."""
    if digest in state.revoked_access_tokens:
        return AccessDecision(None)
    changes = AccessChanges(revoked_access_tokens=((digest, expires_at),), revocations_expired_before=int(now))
    return AccessDecision(None, changes)
