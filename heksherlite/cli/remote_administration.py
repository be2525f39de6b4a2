"""What ``heksherlite token``, ``app`` and ``group`` do to a service over HTTP."""

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

import anyio
import click
import orjson

from heksherlite.cli.source import ask, transport_to
from heksherlite.engine.messages import Request, Response
from heksherlite.service.domain.applications import Application, Approval, Status
from heksherlite.service.domain.declarers import DeclarerKind
from heksherlite.service.domain.device_codes import DeviceCode
from heksherlite.service.domain.manifests import Manifest
from heksherlite.service.domain.tokens import Scope, Token

_ANSWERED: Final = frozenset({200, 201, 204, 400, 401, 403, 404, 408, 409, 413, 422, 429, 503})


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
        self._to_service = (url, token, headers)
        self._reason = {} if reason is None else {"reason": reason}

    def list_tokens(self) -> Sequence[Token]:
        """Return the tokens, the oldest first."""
        return [_token(described) for described in self._call("GET", "tokens")["tokens"]]

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
        body = {
            "name": name,
            "scopes": sorted(scopes),
            "setting_prefix": setting_prefix,
            "expires_at": expires_at,
            "owner": owner,
        }
        token: str = self._call("POST", "tokens", body)["token"]
        return token

    def revoke_token(self, name: str) -> bool:
        """Revoke the token with a name or public prefix, and return whether it existed."""
        return self._send("DELETE", f"tokens/{quote(name, safe='')}", {}, missing_is_false=True) is not None

    def rotate_signing_key(self, *, at_once: bool) -> None:
        """Sign with a new key."""
        self._call("POST", "signing_key/rotate", {"at_once": at_once})

    def list_applications(self) -> Sequence[Application]:
        """Return the applications, the oldest first."""
        return [_application(described) for described in self._call("GET", "applications")["applications"]]

    def invite(self, identifier: str, approval: Approval, *, expires_at: int | None) -> str:
        """Create an invitation, and return its one-time token."""
        body = {"identifier": identifier, "approval": _approval(approval), "expires_at": expires_at}
        one_time_token: str = self._call("POST", "applications/invite", body)["one_time_token"]
        return one_time_token

    def register(self, identifier: str, approval: Approval, *, redirect_uri: str | None) -> str:
        """Register a public application, and return its ID."""
        body = {"identifier": identifier, "approval": _approval(approval), "redirect_uri": redirect_uri}
        application_id: str = self._call("POST", "applications/register", body)["id"]
        return application_id

    def open_code(self, code: str) -> DeviceCode:
        """Return the pending device code, and note that a person has seen it."""
        opened = self._call("POST", f"device_codes/{quote(code, safe='')}/open", {})
        manifest = Manifest(identifier=opened["identifier"], version=opened["version"], scopes=tuple(opened["scopes"]))
        now = int(time.time())
        return DeviceCode(
            digest=b"",
            manifest=manifest,
            address=opened["address"],
            chosen_by="service",
            created_at=now,
            expires_at=now,
        )

    def approve(self, code: str, approval: Approval) -> str:
        """Approve the application that shows a device code, and return its ID."""
        path = f"device_codes/{quote(code, safe='')}/approve"
        application_id: str = self._call("POST", path, {"approval": _approval(approval)})["id"]
        return application_id

    def deny(self, code: str) -> None:
        """Deny the application that shows a device code."""
        self._call("POST", f"device_codes/{quote(code, safe='')}/deny", {})

    def revoke_applications(self, ids: Sequence[str]) -> Sequence[Application]:
        """Revoke the applications with these IDs, all or none, and return them."""
        revoked = self._call("POST", "applications/revoke", {"ids": list(ids)})
        return [_application(described) for described in revoked["applications"]]

    def expire_applications(self, ids: Sequence[str], expires_at: int | None) -> Sequence[Application]:
        """Decide when the credentials of the applications with these IDs expire, of all or none, and return them."""
        expiring = self._call("POST", "applications/expire", {"ids": list(ids), "expires_at": expires_at})
        return [_application(described) for described in expiring["applications"]]

    def rotate_credentials(
        self, application_id: str, *, previous_until: int, expires_at: int | None
    ) -> Mapping[str, str]:
        """Replace the credentials of an application, and return the new ones by name."""
        body = {"id": application_id, "previous_until": previous_until, "expires_at": expires_at}
        return {name: value for name, value in self._call("POST", "applications/rotate", body).items() if name != "id"}

    def attach(self, group: str, ids: Sequence[str]) -> None:
        """Attach a group to the applications with these IDs, to all or none."""
        self._call("POST", "applications/attach", {"ids": list(ids), "group": group})

    def detach(self, group: str, ids: Sequence[str]) -> None:
        """Detach a group from the applications with these IDs, from all or none."""
        self._call("POST", "applications/detach", {"ids": list(ids), "group": group})

    def list_groups(self) -> Mapping[str, Mapping[str, Any]]:
        """Return the groups by name, with references in the place of secrets."""
        groups: Mapping[str, Mapping[str, Any]] = self._call("GET", "groups")["groups"]
        return groups

    def put_group(self, name: str, values: Mapping[str, Any]) -> None:
        """Store a group in place of the one with the same name."""
        self._call("PUT", f"groups/{quote(name, safe='')}", {"values": dict(values)})

    def remove_group(self, name: str) -> None:
        """Delete a group that is not attached."""
        self._call("DELETE", f"groups/{quote(name, safe='')}", {})

    def list_secrets(self) -> Sequence[str]:
        """Return the names of the secrets."""
        names: Sequence[str] = self._call("GET", "secrets")["secrets"]
        return names

    def put_secret(self, name: str, value: str) -> None:
        """Store a secret in place of the one with the same name."""
        self._call("PUT", f"secrets/{quote(name, safe='')}", {"value": value})

    def remove_secret(self, name: str) -> None:
        """Delete a secret to which no group refers."""
        self._call("DELETE", f"secrets/{quote(name, safe='')}", {})

    def declarers(self, setting: str) -> Sequence[tuple[str, str, str | None]]:
        """Return the declarers of a setting: kind, ID and name of each."""
        found = self._call("GET", f"settings/{quote(setting, safe='')}/declarers")["declarers"]
        return [(each["kind"], each["id"], each["name"]) for each in found]

    def add_declarer(self, setting: str, kind: DeclarerKind, declarer_id: str) -> None:
        """Add a declarer to a setting."""
        self._call("POST", f"settings/{quote(setting, safe='')}/declarers", {"kind": kind, "id": declarer_id})

    def remove_declarer(self, setting: str, kind: DeclarerKind, declarer_id: str) -> None:
        """Remove a declarer from a setting."""
        path = f"settings/{quote(setting, safe='')}/declarers/{kind}/{quote(declarer_id, safe='')}"
        self._call("DELETE", path, {})

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        response = self._send(method, path, body)
        return orjson.loads(response.content) if response is not None and response.content else None

    def _send(
        self, method: str, path: str, body: Mapping[str, Any] | None, *, missing_is_false: bool = False
    ) -> Response | None:
        json = None if body is None else {**body, **self._reason} or None
        response = anyio.run(self._exchange, Request(method, f"/api/v1/{path}", json=json, accept=_ANSWERED))
        if missing_is_false and response.status == 404:
            return None
        if response.status >= 400:
            raise click.ClickException(_reason_of(response))
        return response

    async def _exchange(self, request: Request) -> Response:
        return await _exchange(self._to_service, request)


def get(service: tuple[str, str | None, Sequence[str]], path: str, parameters: Mapping[str, str]) -> bytes:
    """Return what a service has at a path.

    Args:
        service: The URL of the service, a token or None, and further headers, each ``Name: value``.
        path: The path below ``/api/v1/``.
        parameters: The parameters of the query.

    Raises:
        click.ClickException: The service does not respond, or refuses the request.
    """
    request = Request("GET", f"/api/v1/{path}", params=tuple(parameters.items()), accept=_ANSWERED)
    response = anyio.run(_exchange, service, request)
    if response.status >= 400:
        raise click.ClickException(_reason_of(response))
    return response.content


async def _exchange(service: tuple[str, str | None, Sequence[str]], request: Request) -> Response:
    transport = transport_to(*service)
    try:
        (response,) = await ask(transport, [request])
    finally:
        await transport.aclose()
    return response


def _reason_of(response: Response) -> str:
    try:
        detail = orjson.loads(response.content)["detail"]
    except (ValueError, TypeError, KeyError):
        detail = response.content[:1000].decode(errors="replace")
    return f"{detail} (status {response.status})" if detail else f"the service responded with status {response.status}"


def _approval(approval: Approval) -> dict[str, Any]:
    return {
        "scopes": sorted(approval.scopes),
        "setting_prefix": approval.setting_prefix,
        "defaults": dict(approval.defaults),
        "track": {feature: each if each == "*" else list(each) for feature, each in approval.track.items()},
        "groups": list(approval.groups),
    }


def _token(described: Mapping[str, Any]) -> Token:
    return Token(**{**described, "scopes": frozenset(map(Scope, described["scopes"])), "digest": b""})


def _application(described: Mapping[str, Any]) -> Application:
    approval = Approval(
        scopes=frozenset(map(Scope, described["granted_scopes"])),
        setting_prefix=described["setting_prefix"],
        defaults=described["defaults"],
        track=described["track"],
        groups=tuple(described["groups"]),
    )
    manifest = Manifest(
        identifier=described["identifier"],
        version=described["version"],
        scopes=tuple(described["scopes"]),
        image=described["image"],
    )
    return Application(
        id=described["id"],
        manifest=manifest,
        status=Status(described["status"]),
        approval=approval,
        created_at=described["created_at"],
        expires_at=described["expires_at"],
        redirect_uri=described["redirect_uri"],
        last_used_at=described.get("last_used_at"),
    )
