"""Writes to device codes: a program starts one, a person opens its page and decides, the program collects its token."""

from dataclasses import replace
from typing import Final

from heksherlite.service.domain.access.applications import check_approval
from heksherlite.service.domain.access.state import AccessChanges, AccessDecision, AccessState
from heksherlite.service.domain.applications import Application, Approval, Status, change, denial
from heksherlite.service.domain.credentials import credentials_of
from heksherlite.service.domain.device_codes import LIFETIME, ChosenBy, CodeState, DeviceCode, code_digest
from heksherlite.service.domain.manifests import Manifest
from heksherlite.service.errors import ConflictError, NotFoundError

KEPT_SECONDS: Final = 600
"""How long the outcome of a code is remembered after the code has expired."""

_MOST_CODES: Final = 10_000


def start(
    state: AccessState, code: str, manifest: Manifest, address: str | None, *, now: float, lifetime: int = LIFETIME
) -> AccessDecision[None]:
    """Add a code for an application that requests one.

    Raises:
        ConflictError: There are too many codes.
    """
    return AccessDecision(None, _added(state, _new(code, manifest, address, "service", int(now), lifetime)))


def open_page(
    state: AccessState, code: str, manifest: Manifest | None, address: str | None, *, now: float
) -> AccessDecision[DeviceCode | None]:
    """Note that a person has opened the page of a code.

    An unknown code was chosen by the client, and is added with the manifest from the address of the page. The result is
    the code, or None if it is unknown and there is no manifest.

    Raises:
        ConflictError: There are too many codes.
    """
    known = state.device_codes.get(code_digest(code))
    if known is None:
        if manifest is None:
            return AccessDecision(None)
        chosen = replace(_new(code, manifest, address, "client", int(now), LIFETIME), opened_at=int(now))
        return AccessDecision(chosen, _added(state, chosen))
    if known.state(now) is not CodeState.WAITING:
        return AccessDecision(known)
    opened = replace(known, opened_at=int(now))
    return AccessDecision(opened, AccessChanges(device_codes=(opened,)))


def approve(
    state: AccessState, code: str, approval: Approval, *, application_id: str, now: float
) -> AccessDecision[Application]:
    """Approve the application of a code that was opened; the result is the application, which has no token yet.

    Raises:
        NotFoundError: The code is unknown.
        ConflictError: It was decided on already, or has expired.
        BadRequestError: The approval is invalid.
    """
    undecided = _undecided(state, code, now)
    check_approval(state, approval, undecided.manifest.scopes)
    application = Application(
        id=application_id,
        manifest=undecided.manifest,
        status=Status.APPROVED,
        approval=approval,
        created_at=int(now),
        expires_at=undecided.expires_at,
    )
    changes = AccessChanges(
        applications=(application,),
        device_codes=(replace(undecided, decision="approved", application_id=application_id),),
        history=(change(None, application),),
    )
    return AccessDecision(application, changes)


def deny(state: AccessState, code: str, *, now: float) -> AccessDecision[None]:
    """Deny the application of a code.

    Raises:
        NotFoundError: The code is unknown.
        ConflictError: It was decided on already, or has expired.
    """
    undecided = _undecided(state, code, now)
    denied = replace(undecided, decision="denied")
    return AccessDecision(None, AccessChanges(device_codes=(denied,), history=(denial(undecided.manifest),)))


def collect(state: AccessState, code: str, *, random_part: str, now: float) -> AccessDecision[str | None]:
    """Use up an approved code; the result is the claim token of its application, or None if it is not approved."""
    known = state.device_codes.get(code_digest(code))
    if known is None or known.state(now) is not CodeState.APPROVED or known.application_id is None:
        return AccessDecision(None)
    application = state.applications[known.application_id]
    credentials = credentials_of(application.id, random_part)
    active = replace(application, status=Status.ACTIVE, expires_at=None, digests=credentials.digests())
    changes = AccessChanges(applications=(active,), device_codes=(replace(known, used_at=int(now)),))
    return AccessDecision(credentials.claim_token, changes)


def _new(
    code: str, manifest: Manifest, address: str | None, chosen_by: ChosenBy, now: int, lifetime: int
) -> DeviceCode:
    return DeviceCode(
        digest=code_digest(code),
        manifest=manifest,
        address=address,
        chosen_by=chosen_by,
        created_at=now,
        expires_at=now + lifetime,
    )


def _added(state: AccessState, code: DeviceCode) -> AccessChanges:
    if state.device_code_count >= _MOST_CODES:
        raise ConflictError("too many applications are waiting for approval; try again later")
    return AccessChanges(device_codes=(code,), codes_expired_before=code.created_at - KEPT_SECONDS)


def _undecided(state: AccessState, code: str, now: float) -> DeviceCode:
    known = state.device_codes.get(code_digest(code))
    if known is None:
        raise NotFoundError("there is no such code")
    status = known.state(now)
    if status is CodeState.EXPIRED:
        raise ConflictError("the code has expired; the application has to ask again")
    if status is CodeState.WAITING:
        raise ConflictError("open its page first")
    if status is not CodeState.OPENED:
        raise ConflictError(f"the code is {status.value} already")
    return known
