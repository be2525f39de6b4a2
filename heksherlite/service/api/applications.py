"""``/api/v1/applications`` and ``/api/v1/device_codes``: the applications that get their configuration from here."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Response
from pydantic import Field

from heksherlite.service.api.administration import (
    ADMINISTRATION,
    NOT_STORED,
    Administered,
    EpochSeconds,
    ScopeName,
    refusals,
)
from heksherlite.service.api.change_cause import ChangeCause
from heksherlite.service.api.responses import json_response, no_content
from heksherlite.service.api.routes import ServiceRoute, requires
from heksherlite.service.domain.applications import Approval, invited, registered
from heksherlite.service.domain.tokens import Scope
from heksherlite.service.errors import NotFoundError
from heksherlite.service.fields import RequestBody, ResponseBody

router = APIRouter(prefix="/api/v1", tags=["applications"], route_class=ServiceRoute)


class ApplicationList(ResponseBody):
    """Applications, the oldest first, without secrets."""

    applications: list[dict[str, Any]]


class ApprovalBody(RequestBody):
    """What an application is granted."""

    scopes: Annotated[list[ScopeName], Field(default_factory=list)]
    setting_prefix: str = ""
    defaults: Annotated[dict[str, str], Field(default_factory=dict)]
    track: Annotated[dict[str, Literal["*"] | list[str]], Field(default_factory=dict)]
    groups: Annotated[list[str], Field(default_factory=list)]

    def approval(self) -> Approval:
        """Return the approval."""
        return Approval(
            scopes=frozenset(self.scopes),
            setting_prefix=self.setting_prefix,
            defaults=self.defaults,
            track=self.track,
            groups=tuple(dict.fromkeys(self.groups)),
        )


def _grant_nothing() -> ApprovalBody:
    return ApprovalBody.model_validate({})


class Invitation(RequestBody):
    """An application to invite, and when its one-time token expires."""

    identifier: str
    approval: Annotated[ApprovalBody, Field(default_factory=_grant_nothing)]
    expires_at: EpochSeconds


class Registration(RequestBody):
    """A public application to register."""

    identifier: str
    approval: Annotated[ApprovalBody, Field(default_factory=_grant_nothing)]
    redirect_uri: str | None = None


class ApprovalOfCode(RequestBody):
    """What the application that shows a device code is granted."""

    approval: Annotated[ApprovalBody, Field(default_factory=_grant_nothing)]


class ChosenApplications(RequestBody):
    """Applications by their IDs."""

    ids: Annotated[list[str], Field(min_length=1)]


class ChosenForExpiry(ChosenApplications):
    """Applications by their IDs, and when their credentials expire; null for never."""

    expires_at: EpochSeconds | None


class Rotation(RequestBody):
    """An application whose credentials are replaced, and how long the present and the new ones work."""

    id: str
    previous_until: Annotated[
        EpochSeconds, Field(description="Until when the present credentials work as well; 0 ends them at once.")
    ]
    expires_at: Annotated[EpochSeconds | None, Field(description="Until when the new ones work.")] = None


class NewCredentials(ResponseBody):
    """The new credentials of an application, which are in this response only."""

    id: str
    claim_token: str
    api_token: str
    client_id: str
    client_secret: str


class ChosenForGroup(ChosenApplications):
    """Applications by their IDs, and a configuration group."""

    group: str


class InvitedApplication(ResponseBody):
    """The ID of an application, and its one-time token, which is in this response only."""

    id: str
    one_time_token: str


class ApplicationId(ResponseBody):
    """The ID of an application."""

    id: str


class PendingApplication(ResponseBody):
    """The application that shows a device code, and the address that it asked from."""

    identifier: str
    version: str
    scopes: list[str]
    address: str | None


@router.get("/applications", response_model=ApplicationList)
@requires(Scope.ADMIN, all_settings=True)
async def get_applications(store: Administered) -> Response:
    """List the applications, without secrets."""
    listed = await store.applications.with_last_use()
    described = [{**known.described(), "last_used_at": known.last_used_at} for known in listed]
    return json_response({"applications": described})


@router.post("/applications/invite", status_code=201, response_model=InvitedApplication, responses=ADMINISTRATION)
@requires(Scope.ADMIN, all_settings=True)
async def invite_application(body: Invitation, store: Administered, cause: ChangeCause) -> Response:
    """Create a one-time token for an application."""
    with refusals():
        one_time_token, application = invited(
            body.identifier, body.approval.approval(), now=store.now().timestamp(), expires_at=body.expires_at
        )
    await store.applications.add(application, cause)
    return json_response({"id": application.id, "one_time_token": one_time_token}, 201, NOT_STORED)


@router.post("/applications/register", status_code=201, response_model=ApplicationId, responses=ADMINISTRATION)
@requires(Scope.ADMIN, all_settings=True)
async def register_application(body: Registration, store: Administered, cause: ChangeCause) -> Response:
    """Register a public application: every program that claims its identifier gets its configuration."""
    with refusals():
        application = registered(
            body.identifier, body.approval.approval(), now=store.now().timestamp(), redirect_uri=body.redirect_uri
        )
    await store.applications.add(application, cause)
    return json_response({"id": application.id}, 201)


@router.post("/applications/revoke", response_model=ApplicationList, responses=ADMINISTRATION)
@requires(Scope.ADMIN, all_settings=True)
async def revoke_applications(body: ChosenApplications, store: Administered, cause: ChangeCause) -> Response:
    """Revoke applications, all or none, and return them."""
    revoked = await store.applications.revoke(body.ids, cause)
    return json_response({"applications": [application.described() for application in revoked]})


@router.post("/applications/expire", response_model=ApplicationList, responses=ADMINISTRATION)
@requires(Scope.ADMIN, all_settings=True)
async def expire_applications(body: ChosenForExpiry, store: Administered, cause: ChangeCause) -> Response:
    """Decide when the credentials of applications expire, of all or none, and return the applications."""
    expiring = await store.applications.set_expiry(body.ids, body.expires_at, cause)
    return json_response({"applications": [application.described() for application in expiring]})


@router.post("/applications/rotate", response_model=NewCredentials, responses=ADMINISTRATION)
@requires(Scope.ADMIN, all_settings=True)
async def rotate_credentials(body: Rotation, store: Administered, cause: ChangeCause) -> Response:
    """Replace the credentials of an application, and return the new ones."""
    credentials = await store.applications.rotate(
        body.id,
        cause,
        now=store.now().timestamp(),
        previous_until=body.previous_until,
        expires_at=body.expires_at,
    )
    return json_response({"id": body.id, **credentials.shown()}, headers=NOT_STORED)


@router.post("/applications/attach", status_code=204, responses=ADMINISTRATION)
@requires(Scope.ADMIN, all_settings=True)
async def attach_group(body: ChosenForGroup, store: Administered, cause: ChangeCause) -> Response:
    """Attach a configuration group to applications, to all or none."""

    def attach(approval: Approval) -> Approval:
        return replace(approval, groups=tuple(dict.fromkeys((*approval.groups, body.group))))

    await store.applications.change_approval(body.ids, attach, cause)
    return no_content()


@router.post("/applications/detach", status_code=204, responses=ADMINISTRATION)
@requires(Scope.ADMIN, all_settings=True)
async def detach_group(body: ChosenForGroup, store: Administered, cause: ChangeCause) -> Response:
    """Detach a configuration group from applications, from all or none."""

    def detach(approval: Approval) -> Approval:
        return replace(approval, groups=_without(approval.groups, body.group))

    await store.applications.change_approval(body.ids, detach, cause)
    return no_content()


@router.post("/device_codes/{code}/open", response_model=PendingApplication, responses=ADMINISTRATION)
@requires(Scope.ADMIN, all_settings=True)
async def open_device_code(code: str, store: Administered) -> Response:
    """Return the application that shows a device code, and note that a person has seen it."""
    opened = await store.device_codes.open(code, None, None, store.now().timestamp())
    if opened is None:
        raise NotFoundError("no application waits with this code")
    manifest = opened.manifest
    return json_response(
        {
            "identifier": manifest.identifier,
            "version": manifest.version,
            "scopes": manifest.scopes,
            "address": opened.address,
        }
    )


@router.post("/device_codes/{code}/approve", response_model=ApplicationId, responses=ADMINISTRATION)
@requires(Scope.ADMIN, all_settings=True)
async def approve_device_code(code: str, body: ApprovalOfCode, store: Administered, cause: ChangeCause) -> Response:
    """Approve the application that shows a device code."""
    approved = await store.device_codes.approve(code, body.approval.approval(), cause, store.now().timestamp())
    return json_response({"id": approved.id})


@router.post("/device_codes/{code}/deny", status_code=204, responses=ADMINISTRATION)
@requires(Scope.ADMIN, all_settings=True)
async def deny_device_code(code: str, store: Administered, cause: ChangeCause) -> Response:
    """Deny the application that shows a device code."""
    await store.device_codes.deny(code, cause, store.now().timestamp())
    return no_content()


def _without(groups: Sequence[str], group: str) -> tuple[str, ...]:
    return tuple(each for each in groups if each != group)
