"""What ``heksherlite token``, ``app`` and ``group`` do to a service over HTTP."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, TypeVar

from heksherlite import admin
from heksherlite.admin import access_calls, application_calls
from heksherlite.admin.requests import Call
from heksherlite.cli.services import Service
from heksherlite.errors import RequestRefusedError
from heksherlite.service.domain.applications import Application, Approval, PreviousCredentials, Status
from heksherlite.service.domain.credentials import Digests
from heksherlite.service.domain.declarers import DeclarerKind
from heksherlite.service.domain.device_codes import DeviceCode
from heksherlite.service.domain.manifests import Manifest
from heksherlite.service.domain.tokens import Scope, Token

T = TypeVar("T")


class RemoteAdministration:
    """The tokens, applications, groups and secrets of a service; see `Administration` for the methods.

    Each method raises `click.ClickException` if the service does not respond, or refuses the request.

    Args:
        url: Where the service is.
        token: A token with the scope ``admin`` and no setting prefix, or None.
        headers: Further headers, each ``Name: value``.
        reason: Why something is changed, for the history.
    """

    def __init__(self, url: str, token: str | None, headers: Sequence[str], reason: str | None) -> None:
        self._service = Service(url, token, headers)
        self._reason = reason

    def list_tokens(self) -> Sequence[Token]:
        """Return the tokens, the oldest first."""
        return [_token(known) for known in self._send(access_calls.list_tokens())]

    def create_token(
        self,
        name: str,
        scopes: Iterable[Scope],
        *,
        setting_prefix: str,
        expires_at: int | None,
        owner: str | None,
    ) -> str:
        """Create a token, and return it with its secret."""
        return self._send(
            access_calls.create_token(
                name,
                [scope.value for scope in scopes],
                setting_prefix=setting_prefix,
                expires_at=_time(expires_at),
                owner=owner,
                reason=self._reason,
            )
        )

    def revoke_token(self, name: str) -> bool:
        """Revoke the token with a name or public prefix, and return whether it existed."""
        with self._service.connect() as client:
            try:
                client.revoke_token(name, reason=self._reason)
            except RequestRefusedError as error:
                if error.status == 404:
                    return False
                raise
        return True

    def rotate_signing_key(self, *, at_once: bool) -> None:
        """Sign with a new key."""
        self._send(access_calls.rotate_signing_key(at_once=at_once, reason=self._reason))

    def list_applications(self) -> Sequence[Application]:
        """Return the applications, the oldest first."""
        return [_application(known) for known in self._send(application_calls.list_applications())]

    def invite(self, identifier: str, approval: Approval, *, expires_at: int | None) -> str:
        """Create an invitation, and return its one-time token."""
        until = _time(expires_at) or datetime.max.replace(tzinfo=UTC)
        call = application_calls.invite_application(
            identifier, _approval(approval), expires_at=until, reason=self._reason
        )
        return self._send(call).one_time_token

    def register(self, identifier: str, approval: Approval, *, redirect_uri: str | None) -> str:
        """Register a public application, and return its ID."""
        return self._send(
            application_calls.register_application(
                identifier, _approval(approval), redirect_uri=redirect_uri, reason=self._reason
            )
        )

    def open_code(self, code: str) -> DeviceCode:
        """Return the pending device code, and note that a person has seen it."""
        opened, now = self._send(application_calls.open_device_code(code)), int(time.time())
        return DeviceCode(
            digest=b"",
            manifest=Manifest(
                identifier=opened.identifier, version=opened.version, scopes=tuple(opened.requested_scopes)
            ),
            address=opened.address,
            chosen_by="service",
            created_at=now,
            expires_at=now,
        )

    def approve(self, code: str, approval: Approval) -> str:
        """Approve the application that shows a device code, and return its ID."""
        return self._send(application_calls.approve_device_code(code, _approval(approval), reason=self._reason))

    def deny(self, code: str) -> None:
        """Deny the application that shows a device code."""
        self._send(application_calls.deny_device_code(code, reason=self._reason))

    def revoke_applications(self, ids: Sequence[str]) -> Sequence[Application]:
        """Revoke the applications with these IDs, all or none, and return them."""
        revoked = self._send(application_calls.revoke_applications(ids, reason=self._reason))
        return [_application(known) for known in revoked]

    def expire_applications(self, ids: Sequence[str], expires_at: int | None) -> Sequence[Application]:
        """Decide when the credentials of the applications with these IDs expire, of all or none, and return them."""
        expiring = self._send(application_calls.expire_applications(ids, _time(expires_at), reason=self._reason))
        return [_application(known) for known in expiring]

    def rotate_credentials(
        self, application_id: str, *, previous_until: int, expires_at: int | None
    ) -> Mapping[str, str]:
        """Replace the credentials of an application, and return the new ones by name."""
        call = application_calls.rotate_credentials(
            application_id,
            previous_until=datetime.fromtimestamp(previous_until, UTC),
            expires_at=_time(expires_at),
            reason=self._reason,
        )
        return asdict(self._send(call))

    def attach(self, group: str, ids: Sequence[str]) -> None:
        """Attach a group to the applications with these IDs, to all or none."""
        self._send(application_calls.attach_group(group, ids, reason=self._reason))

    def detach(self, group: str, ids: Sequence[str]) -> None:
        """Detach a group from the applications with these IDs, from all or none."""
        self._send(application_calls.detach_group(group, ids, reason=self._reason))

    def list_groups(self) -> Mapping[str, Mapping[str, Any]]:
        """Return the groups by name, with references in the place of secrets."""
        return self._send(access_calls.list_groups())

    def put_group(self, name: str, values: Mapping[str, Any]) -> None:
        """Store a group in place of the one with the same name."""
        self._send(access_calls.put_group(name, values, reason=self._reason))

    def remove_group(self, name: str) -> None:
        """Delete a group that is not attached."""
        self._send(access_calls.delete_group(name, reason=self._reason))

    def list_secrets(self) -> Sequence[str]:
        """Return the names of the secrets."""
        return self._send(access_calls.list_secrets())

    def put_secret(self, name: str, value: str) -> None:
        """Store a secret in place of the one with the same name."""
        self._send(access_calls.put_secret(name, value, reason=self._reason))

    def remove_secret(self, name: str) -> None:
        """Delete a secret to which no group refers."""
        self._send(access_calls.delete_secret(name, reason=self._reason))

    def declarers(self, setting: str) -> Sequence[tuple[str, str, str | None]]:
        """Return the declarers of a setting: kind, ID and name of each."""
        return [(each.kind, each.id, each.name) for each in self._send(access_calls.declarers(setting))]

    def add_declarer(self, setting: str, kind: DeclarerKind, declarer_id: str) -> None:
        """Add a declarer to a setting."""
        self._send(access_calls.add_declarer(setting, kind, declarer_id, reason=self._reason))

    def remove_declarer(self, setting: str, kind: DeclarerKind, declarer_id: str) -> None:
        """Remove a declarer from a setting."""
        self._send(access_calls.remove_declarer(setting, kind, declarer_id, reason=self._reason))

    def _send(self, call: Call[T]) -> T:
        with self._service.connect() as client:
            return client.send(call)


def _time(seconds: int | None) -> datetime | None:
    return access_calls.time_of(seconds)


def _seconds(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp())


def _approval(approval: Approval) -> admin.Approval:
    return admin.Approval(
        scopes=[scope.value for scope in approval.scopes],
        setting_prefix=approval.setting_prefix,
        defaults=approval.defaults,
        track=approval.track,
        groups=approval.groups,
    )


def _token(known: admin.TokenDetails) -> Token:
    return Token(
        name=known.name,
        public_prefix=known.public_prefix,
        digest=b"",
        scopes=frozenset(map(Scope, known.scopes)),
        setting_prefix=known.setting_prefix,
        created_at=int(known.created_at.timestamp()),
        expires_at=_seconds(known.expires_at),
        owner=known.owner,
        last_used_at=_seconds(known.last_used_at),
    )


def _previous(expires_at: datetime | None) -> PreviousCredentials | None:
    if expires_at is None:
        return None
    return PreviousCredentials(digests=Digests(b"", b"", b""), expires_at=int(expires_at.timestamp()))


def _application(known: admin.ApplicationDetails) -> Application:
    granted = known.approval
    return Application(
        id=known.id,
        manifest=Manifest(
            identifier=known.identifier, version=known.version, scopes=known.requested_scopes, image=known.image
        ),
        status=Status(known.status),
        approval=Approval(
            scopes=frozenset(map(Scope, granted.scopes)),
            setting_prefix=granted.setting_prefix,
            defaults=granted.defaults,
            track=granted.track,
            groups=tuple(granted.groups),
        ),
        created_at=int(known.created_at.timestamp()),
        expires_at=_seconds(known.expires_at),
        previous=_previous(known.previous_expires_at),
        rotated_at=_seconds(known.rotated_at),
        redirect_uri=known.redirect_uri,
        last_used_at=_seconds(known.last_used_at),
    )
