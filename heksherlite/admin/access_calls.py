"""The calls about tokens, configuration groups, secrets, declarers and the audit record."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from heksherlite.admin.access_results import DeclarerDetails, ScopeName, TokenDetails
from heksherlite.admin.requests import (
    Call,
    epoch_seconds,
    json_call,
    moment_text,
    nothing_call,
    quoted,
    raw_call,
    setting_path,
    without_none,
)


def list_tokens() -> Call[tuple[TokenDetails, ...]]:
    """Return the tokens, the oldest first. Those of applications are not among them.

    Raises:
        AdminError: There is no answer, or the request is refused.
    """
    return json_call("GET", "tokens", lambda shown: tuple([_token(each) for each in shown["tokens"]]))


def create_token(
    name: str,
    scopes: Iterable[ScopeName],
    *,
    setting_prefix: str = "",
    expires_at: datetime | None = None,
    owner: str | None = None,
    reason: str | None = None,
) -> Call[str]:
    """Create a token, and return it. The service does not show it again.

    Args:
        name: Its name.
        scopes: What it allows.
        setting_prefix: Limits it to settings whose names begin with this. Empty: no limit.
        expires_at: When it expires. None: never.
        owner: The person that it belongs to, who does not approve their own proposals with it. None: the person who
            creates it, if the service knows that person.
        reason: The reason, for the history.

    Raises:
        AdminError: There is no answer, or the request is refused.
    """
    body = without_none(
        name=name,
        scopes=list(scopes),
        setting_prefix=setting_prefix,
        expires_at=epoch_seconds(expires_at),
        owner=owner,
        reason=reason,
    )
    return json_call("POST", "tokens", lambda shown: str(shown["token"]), body=body)


def revoke_token(name: str, *, reason: str | None = None) -> Call[None]:
    """Revoke a token. It stops working on every replica within a second.

    Args:
        name: Its name or public prefix.
        reason: The reason, for the history.

    Raises:
        RequestRefusedError: There is no such token: status 404.
        AdminError: There is no answer, or the request is refused for another reason.
    """
    return nothing_call("DELETE", f"tokens/{quoted(name)}", without_none(reason=reason))


def rotate_signing_key(*, at_once: bool = False, reason: str | None = None) -> Call[None]:
    """Replace the key that signs access tokens and device codes.

    Args:
        at_once: Whether to refuse at once what the present key signed.
        reason: The reason, for the history.

    Raises:
        AdminError: There is no answer, or the request is refused.
    """
    return nothing_call("POST", "signing_key/rotate", without_none(at_once=at_once, reason=reason))


def list_groups() -> Call[Mapping[str, Mapping[str, Any]]]:
    """Return the values of the configuration groups by name, with references in the place of secrets.

    Raises:
        AdminError: There is no answer, or the request is refused.
    """
    return json_call("GET", "groups", lambda shown: dict(shown["groups"]))


def put_group(name: str, values: Mapping[str, Any], *, reason: str | None = None) -> Call[None]:
    """Store a configuration group in place of the one with the same name.

    Args:
        name: Its name.
        values: Its values. ``{"$secret": "name"}`` stands for a secret.
        reason: The reason, for the history.

    Raises:
        AdminError: There is no answer, or the request is refused.
    """
    return nothing_call("PUT", f"groups/{quoted(name)}", without_none(values=dict(values), reason=reason))


def delete_group(name: str, *, reason: str | None = None) -> Call[None]:
    """Delete a configuration group that is not attached.

    Args:
        name: Its name.
        reason: The reason, for the history.

    Raises:
        RequestRefusedError: There is no such group (status 404), or it is attached.
        AdminError: There is no answer, or the request is refused for another reason.
    """
    return nothing_call("DELETE", f"groups/{quoted(name)}", without_none(reason=reason))


def list_secrets() -> Call[tuple[str, ...]]:
    """Return the names of the secrets. Their values are never shown.

    Raises:
        AdminError: There is no answer, or the request is refused.
    """
    return json_call("GET", "secrets", lambda shown: tuple(shown["secrets"]))


def put_secret(name: str, value: str, *, reason: str | None = None) -> Call[None]:
    """Store a secret in place of the one with the same name.

    Args:
        name: Its name.
        value: Its value.
        reason: The reason, for the history.

    Raises:
        AdminError: There is no answer, or the request is refused.
    """
    return nothing_call("PUT", f"secrets/{quoted(name)}", without_none(value=value, reason=reason))


def delete_secret(name: str, *, reason: str | None = None) -> Call[None]:
    """Delete a secret to which no group refers.

    Args:
        name: Its name.
        reason: The reason, for the history.

    Raises:
        RequestRefusedError: There is no such secret (status 404), or a group refers to it.
        AdminError: There is no answer, or the request is refused for another reason.
    """
    return nothing_call("DELETE", f"secrets/{quoted(name)}", without_none(reason=reason))


def declarers(setting: str) -> Call[tuple[DeclarerDetails, ...]]:
    """Return who may upgrade a setting by declaring it, if the service is strict about that.

    Args:
        setting: Its name, or an alias.

    Raises:
        RequestRefusedError: There is no such setting: status 404.
        AdminError: There is no answer, or the request is refused for another reason.
    """

    def read(shown: Any) -> tuple[DeclarerDetails, ...]:
        return tuple([DeclarerDetails(kind=each["kind"], id=each["id"], name=each["name"]) for each in shown])

    return json_call("GET", f"{setting_path(setting)}/declarers", lambda shown: read(shown["declarers"]))


def add_declarer(
    setting: str, kind: Literal["application", "token"], declarer_id: str, *, reason: str | None = None
) -> Call[None]:
    """Let an application or a token upgrade a setting by declaring it.

    Args:
        setting: The name of the setting, or an alias.
        kind: ``application``, or ``token`` for a token that belongs to no application.
        declarer_id: The id of the application, or the public prefix of the token.
        reason: The reason, for the history.

    Raises:
        RequestRefusedError: There is no such setting, application or token: status 404.
        AdminError: There is no answer, or the request is refused for another reason.
    """
    body = without_none(kind=kind, id=declarer_id, reason=reason)
    return nothing_call("POST", f"{setting_path(setting)}/declarers", body)


def remove_declarer(
    setting: str, kind: Literal["application", "token"], declarer_id: str, *, reason: str | None = None
) -> Call[None]:
    """Withdraw the permission to upgrade a setting by declaring it.

    Args:
        setting: The name of the setting, or an alias.
        kind: ``application``, or ``token`` for a token that belongs to no application.
        declarer_id: The id of the application, or the public prefix of the token.
        reason: The reason, for the history.

    Raises:
        RequestRefusedError: There is no such setting, or it has no such declarer: status 404.
        AdminError: There is no answer, or the request is refused for another reason.
    """
    path = f"{setting_path(setting)}/declarers/{quoted(kind)}/{quoted(declarer_id)}"
    return nothing_call("DELETE", path, without_none(reason=reason))


def export_audit(
    *,
    action: str | None = None,
    outcome: str | None = None,
    actor_kind: str | None = None,
    actor_id: str | None = None,
    address: str | None = None,
    subject: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    after: int | None = None,
    limit: int | None = None,
) -> Call[bytes]:
    """Return the audit record as JSON lines, the oldest first.

    Args:
        action: Only this action, such as ``token.create``.
        outcome: Only ``succeeded`` or only ``denied``.
        actor_kind: Only actors of this kind, such as ``token``.
        actor_id: Only the actor with this id.
        address: Only requests from this address.
        subject: Only what was done to this.
        since: Only at or after this time.
        until: Only before this time.
        after: Only records with ids above this one.
        limit: The maximum number of records. None: all.

    Raises:
        AdminError: There is no answer, or the request is refused.
    """
    return raw_call(
        "audit/export",
        action=action,
        outcome=outcome,
        actor_kind=actor_kind,
        actor_id=actor_id,
        address=address,
        subject=subject,
        since=moment_text(since),
        until=moment_text(until),
        after=after,
        limit=limit,
    )


def time_of(seconds: int | None) -> datetime | None:
    """Return a time from the seconds since the epoch, if there are any."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _token(shown: Any) -> TokenDetails:
    return TokenDetails(
        name=shown["name"],
        public_prefix=shown["public_prefix"],
        scopes=tuple(shown["scopes"]),
        setting_prefix=shown["setting_prefix"],
        created_at=datetime.fromtimestamp(shown["created_at"], UTC),
        expires_at=time_of(shown["expires_at"]),
        owner=shown["owner"],
        last_used_at=time_of(shown["last_used_at"]),
    )
