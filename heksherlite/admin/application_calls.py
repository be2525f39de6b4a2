"""The calls about applications."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from heksherlite.admin.access_calls import time_of
from heksherlite.admin.access_results import (
    ApplicationCredentials,
    ApplicationDetails,
    Approval,
    Invitation,
    PendingApplication,
)
from heksherlite.admin.requests import Call, epoch_seconds, json_call, nothing_call, quoted, without_none


def list_applications() -> Call[tuple[ApplicationDetails, ...]]:
    """Return the applications, the oldest first.

    Raises:
        AdminError: There is no answer, or the request is refused.
    """
    return json_call("GET", "applications", _applications)


def invite_application(
    identifier: str, approval: Approval, *, expires_at: datetime, reason: str | None = None
) -> Call[Invitation]:
    """Invite an application, and return its one-time token. The service does not show it again.

    Args:
        identifier: The identifier that the application has to have.
        approval: What it is granted.
        expires_at: Until when it can exchange the one-time token.
        reason: The reason, for the history.

    Raises:
        AdminError: There is no answer, or the request is refused.
    """
    body = without_none(
        identifier=identifier, approval=_body_of(approval), expires_at=epoch_seconds(expires_at), reason=reason
    )

    def read(shown: Any) -> Invitation:
        return Invitation(id=shown["id"], one_time_token=shown["one_time_token"])

    return json_call("POST", "applications/invite", read, body=body)


def register_application(
    identifier: str, approval: Approval, *, redirect_uri: str | None = None, reason: str | None = None
) -> Call[str]:
    """Register a public application, and return its id. Everybody who claims its identifier gets what it is granted.

    Args:
        identifier: Its identifier.
        approval: What it is granted.
        redirect_uri: Its address. A request with another one is refused.
        reason: The reason, for the history.

    Raises:
        AdminError: There is no answer, or the request is refused.
    """
    body = without_none(identifier=identifier, approval=_body_of(approval), redirect_uri=redirect_uri, reason=reason)
    return json_call("POST", "applications/register", lambda shown: str(shown["id"]), body=body)


def open_device_code(code: str) -> Call[PendingApplication]:
    """Return the application that shows a device code. The service notes that a person has seen it.

    Args:
        code: The code.

    Raises:
        RequestRefusedError: No application waits with this code: status 404.
        AdminError: There is no answer, or the request is refused for another reason.
    """

    def read(shown: Any) -> PendingApplication:
        return PendingApplication(
            identifier=shown["identifier"],
            version=shown["version"],
            requested_scopes=tuple(shown["scopes"]),
            address=shown["address"],
        )

    return json_call("POST", f"device_codes/{quoted(code)}/open", read, body={})


def approve_device_code(code: str, approval: Approval, *, reason: str | None = None) -> Call[str]:
    """Approve the application that shows a device code, and return its id. Open the code first.

    Args:
        code: The code.
        approval: What it is granted: no more than it requested.
        reason: The reason, for the history.

    Raises:
        AdminError: There is no answer, or the request is refused.
    """
    body = without_none(approval=_body_of(approval), reason=reason)
    return json_call("POST", f"device_codes/{quoted(code)}/approve", lambda shown: str(shown["id"]), body=body)


def deny_device_code(code: str, *, reason: str | None = None) -> Call[None]:
    """Deny the application that shows a device code. Open the code first.

    Args:
        code: The code.
        reason: The reason, for the history.

    Raises:
        AdminError: There is no answer, or the request is refused.
    """
    return nothing_call("POST", f"device_codes/{quoted(code)}/deny", without_none(reason=reason))


def expire_applications(
    ids: Iterable[str], expires_at: datetime | None, *, reason: str | None = None
) -> Call[tuple[ApplicationDetails, ...]]:
    """Decide when the credentials of applications expire, of all or none, and return the applications.

    Args:
        ids: The ids of the applications.
        expires_at: When they expire. None: never.
        reason: The reason, for the history.

    Raises:
        RequestRefusedError: One of them does not exist (status 404), or has no credentials yet.
        AdminError: There is no answer, or the request is refused for another reason.
    """
    body = {"ids": list(ids), "expires_at": epoch_seconds(expires_at), **without_none(reason=reason)}
    return json_call("POST", "applications/expire", _applications, body=body)


def rotate_credentials(
    application_id: str, *, previous_until: datetime, expires_at: datetime | None = None, reason: str | None = None
) -> Call[ApplicationCredentials]:
    """Replace the credentials of an application, and return the new ones. The service does not show them again.

    Args:
        application_id: The id of the application.
        previous_until: Until when the present credentials work as well. A time in the past ends them at once.
        expires_at: When the new ones expire. None: never.
        reason: The reason, for the history.

    Raises:
        RequestRefusedError: There is no such application (status 404), or it has no credentials yet.
        AdminError: There is no answer, or the request is refused for another reason.
    """
    body = without_none(
        id=application_id,
        previous_until=epoch_seconds(previous_until),
        expires_at=epoch_seconds(expires_at),
        reason=reason,
    )

    def read(shown: Any) -> ApplicationCredentials:
        return ApplicationCredentials(
            claim_token=shown["claim_token"],
            api_token=shown["api_token"],
            client_id=shown["client_id"],
            client_secret=shown["client_secret"],
        )

    return json_call("POST", "applications/rotate", read, body=body)


def revoke_applications(ids: Iterable[str], *, reason: str | None = None) -> Call[tuple[ApplicationDetails, ...]]:
    """Revoke applications, all or none, and return them. Everything that they have stops working.

    Args:
        ids: The ids of the applications.
        reason: The reason, for the history.

    Raises:
        RequestRefusedError: One of them does not exist: status 404.
        AdminError: There is no answer, or the request is refused for another reason.
    """
    body = without_none(ids=list(ids), reason=reason)
    return json_call("POST", "applications/revoke", _applications, body=body)


def attach_group(group: str, ids: Iterable[str], *, reason: str | None = None) -> Call[None]:
    """Attach a configuration group to applications, to all or none.

    Args:
        group: The name of the group.
        ids: The ids of the applications.
        reason: The reason, for the history.

    Raises:
        AdminError: There is no answer, or the request is refused.
    """
    return nothing_call("POST", "applications/attach", without_none(ids=list(ids), group=group, reason=reason))


def detach_group(group: str, ids: Iterable[str], *, reason: str | None = None) -> Call[None]:
    """Detach a configuration group from applications, from all or none.

    Args:
        group: The name of the group.
        ids: The ids of the applications.
        reason: The reason, for the history.

    Raises:
        AdminError: There is no answer, or the request is refused.
    """
    return nothing_call("POST", "applications/detach", without_none(ids=list(ids), group=group, reason=reason))


def _body_of(approval: Approval) -> dict[str, Any]:
    return {
        "scopes": sorted(approval.scopes),
        "setting_prefix": approval.setting_prefix,
        "defaults": dict(approval.defaults),
        "track": {feature: each if each == "*" else list(each) for feature, each in approval.track.items()},
        "groups": list(approval.groups),
    }


def _applications(shown: Any) -> tuple[ApplicationDetails, ...]:
    return tuple([_application(each) for each in shown["applications"]])


def _application(shown: Any) -> ApplicationDetails:
    return ApplicationDetails(
        id=shown["id"],
        identifier=shown["identifier"],
        version=shown["version"],
        requested_scopes=tuple(shown["scopes"]),
        image=shown["image"],
        status=shown["status"],
        approval=Approval(
            scopes=tuple(shown["granted_scopes"]),
            setting_prefix=shown["setting_prefix"],
            defaults=shown["defaults"],
            track=shown["track"],
            groups=tuple(shown["groups"]),
        ),
        created_at=datetime.fromtimestamp(shown["created_at"], UTC),
        expires_at=time_of(shown["expires_at"]),
        rotated_at=time_of(shown["rotated_at"]),
        previous_expires_at=time_of(shown["previous_expires_at"]),
        redirect_uri=shown["redirect_uri"],
        last_used_at=time_of(shown.get("last_used_at")),
    )
