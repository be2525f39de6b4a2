"""Between rows and the access state: tokens, applications, device codes, groups, secrets and sessions."""

from collections.abc import Container, Iterable, Mapping
from typing import Any, Final

import orjson
from sqlalchemy import Row, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from heksherlite.service.domain.access.state import AccessChanges, AccessState
from heksherlite.service.domain.applications import Application, Approval, PreviousCredentials, Status
from heksherlite.service.domain.credentials import Digests
from heksherlite.service.domain.device_codes import DeviceCode
from heksherlite.service.domain.groups import Group
from heksherlite.service.domain.manifests import Manifest
from heksherlite.service.domain.sessions import Session
from heksherlite.service.domain.signing_keys import SigningKeys
from heksherlite.service.domain.tokens import Access, Scope, Token
from heksherlite.service.storage import tables
from heksherlite.service.storage.encryption import SecretCipher

_tokens: Final = tables.tokens.c
_applications: Final = tables.applications.c
_SIGNING: Final = "signing"
_PREVIOUS_SIGNING: Final = "previous signing"

_codes: Final = tables.device_codes.c
_sessions: Final = tables.sessions.c


async def read_access_state(connection: AsyncConnection, cipher: SecretCipher) -> AccessState:
    """Return everything but device codes and sessions."""
    features = select(tables.context_features.c.name).order_by(tables.context_features.c.position)
    tokens = await connection.execute(select(tables.tokens).order_by(_tokens.created_at, _tokens.name))
    applications = await connection.execute(
        select(tables.applications).order_by(_applications.created_at, _applications.id)
    )
    groups = await connection.execute(select(tables.configuration_groups).order_by(tables.configuration_groups.c.name))
    secrets = await connection.execute(select(tables.group_secrets))
    revoked = await connection.execute(select(tables.revoked_access_tokens))
    return AccessState(
        context_features=tuple((await connection.scalars(features)).all()),
        tokens={row.public_prefix: _token(row) for row in tokens},
        applications={row.id: _application(row, cipher) for row in applications},
        groups={row.name: Group(row.name, orjson.loads(row.contents)) for row in groups},
        secrets={row.name: cipher.decrypt(row.value) for row in secrets},
        revoked_access_tokens={bytes.fromhex(row.digest): row.expires_at for row in revoked},
        signing_keys=await _read_signing_keys(connection, cipher),
    )


async def _read_signing_keys(connection: AsyncConnection, cipher: SecretCipher) -> SigningKeys:
    rows = {row.purpose: row for row in await connection.execute(select(tables.keys))}
    current, previous = rows[_SIGNING], rows.get(_PREVIOUS_SIGNING)
    before = None if previous is None else cipher.decrypt(previous.key)
    return SigningKeys(cipher.decrypt(current.key), before, current.created_at)


async def read_device_codes(connection: AsyncConnection, digest: bytes) -> Mapping[bytes, DeviceCode]:
    """Return the device code with a digest, if it exists."""
    rows = await connection.execute(select(tables.device_codes).where(_codes.digest == digest.hex()))
    return {code.digest: code for code in map(_device_code, rows.mappings())}


async def count_device_codes(connection: AsyncConnection, *, expired_before: int) -> int:
    """Return the number of device codes without those that expired before a time."""
    count = select(func.count()).select_from(tables.device_codes).where(_codes.expires_at >= expired_before)
    return await connection.scalar(count) or 0


async def read_waiting_codes(connection: AsyncConnection, now: float, *, limit: int) -> list[DeviceCode]:
    """Return the newest device codes that nobody has decided on in time yet, the newest first."""
    waiting = select(tables.device_codes).where(_codes.decision.is_(None), _codes.expires_at > int(now))
    rows = await connection.execute(waiting.order_by(_codes.created_at.desc(), _codes.digest).limit(limit))
    return [_device_code(row) for row in rows.mappings()]


async def read_sessions(connection: AsyncConnection, digest: bytes | None) -> Mapping[bytes, Session]:
    """Return the session with a digest, if it exists, or all sessions."""
    rows = select(tables.sessions)
    if digest is not None:
        rows = rows.where(_sessions.digest == digest.hex())
    return {session.digest: session for session in map(_session, await connection.execute(rows))}


async def encrypt_again(connection: AsyncConnection, cipher: SecretCipher) -> int:
    """Encrypt all secrets with the first key, and return their number.

    Args:
        connection: A connection that holds the write lock.
        cipher: A cipher with a key.
    """
    count = 0
    for key, secret in (
        (tables.group_secrets.c.name, tables.group_secrets.c.value),
        (_applications.id, _applications.public_token),
        (tables.keys.c.purpose, tables.keys.c.key),
    ):
        for row in (await connection.execute(select(key, secret).where(secret.is_not(None)))).all():
            encrypted = {secret.name: cipher.encrypt(cipher.decrypt(row[1]))}
            await connection.execute(update(key.table).where(key == row[0]).values(encrypted))
            count += 1
    return count


async def write_access_changes(
    connection: AsyncConnection, state: AccessState, changes: AccessChanges, cipher: SecretCipher
) -> None:
    """Store changes.

    Args:
        connection: A connection that holds the write lock.
        state: What is stored before, with the device codes and sessions that are changed.
        changes: What to store and remove.
        cipher: Encrypts secrets.
    """
    await _purge(connection, changes)
    groups = [{"name": group.name, "contents": _text(group.values)} for group in changes.groups]
    secrets = [{"name": name, "value": cipher.encrypt(value)} for name, value in changes.secrets]
    known_codes = {digest.hex() for digest in state.device_codes}
    known_sessions = {digest.hex() for digest in state.sessions}
    revoked = [{"digest": digest.hex(), "expires_at": end} for digest, end in changes.revoked_access_tokens]
    known_revoked = {digest.hex() for digest in state.revoked_access_tokens}
    ended_sessions = {digest.hex() for digest in changes.removed_sessions}
    uses = [*changes.removed_tokens, *(f"hkl_{each}" for each in changes.removed_applications)]
    await connection.execute(delete(tables.token_uses).where(tables.token_uses.c.public_prefix.in_(uses)))
    if changes.signing_keys is not None:
        await _write_signing_keys(connection, changes.signing_keys, cipher)
    for table, rows, known, removed in (
        (tables.tokens, map(_token_row, changes.tokens), state.tokens, changes.removed_tokens),
        (
            tables.applications,
            [_application_row(each, cipher) for each in changes.applications],
            state.applications,
            changes.removed_applications,
        ),
        (tables.configuration_groups, groups, state.groups, changes.removed_groups),
        (tables.group_secrets, secrets, state.secrets, changes.removed_secrets),
        (tables.device_codes, map(_device_code_row, changes.device_codes), known_codes, ()),
        (tables.sessions, map(_session_row, changes.sessions), known_sessions, ended_sessions),
        (tables.revoked_access_tokens, revoked, known_revoked, ()),
    ):
        await _write_rows(connection, table, rows, known, removed)


async def _write_signing_keys(connection: AsyncConnection, keys: SigningKeys, cipher: SecretCipher) -> None:
    await connection.execute(delete(tables.keys).where(tables.keys.c.purpose.in_((_SIGNING, _PREVIOUS_SIGNING))))
    rows = [{"purpose": _SIGNING, "key": cipher.encrypt(keys.current), "created_at": keys.rotated_at}]
    if keys.previous is not None:
        rows.append({"purpose": _PREVIOUS_SIGNING, "key": cipher.encrypt(keys.previous), "created_at": 0})
    await connection.execute(insert(tables.keys), rows)


async def _purge(connection: AsyncConnection, changes: AccessChanges) -> None:
    if changes.codes_expired_before:
        expired = _codes.expires_at < changes.codes_expired_before
        await connection.execute(delete(tables.device_codes).where(expired))
    if changes.revocations_expired_before:
        revoked = tables.revoked_access_tokens
        expired = revoked.c.expires_at <= changes.revocations_expired_before
        await connection.execute(delete(revoked).where(expired))
    if changes.sessions_expired_before:
        expired = _sessions.expires_at <= changes.sessions_expired_before
        await connection.execute(delete(tables.sessions).where(expired))


async def _write_rows(
    connection: AsyncConnection,
    table: Any,
    rows: Iterable[dict[str, Any]],
    known: Container[str],
    removed: Iterable[str],
) -> None:
    (key,) = table.primary_key
    for row in rows:
        exists = row[key.name] in known
        statement = update(table).where(key == row[key.name]) if exists else insert(table)
        await connection.execute(statement.values(row))
    for removed_key in removed:
        await connection.execute(delete(table).where(key == removed_key))


def _token(row: Row[Any]) -> Token:
    return Token(
        name=row.name,
        public_prefix=row.public_prefix,
        digest=bytes.fromhex(row.digest),
        scopes=frozenset(scope for scope in Scope if scope in row.scopes.split()),
        setting_prefix=row.setting_prefix,
        created_at=row.created_at,
        expires_at=row.expires_at,
        owner=row.owner,
    )


def _token_row(token: Token) -> dict[str, Any]:
    return {
        "public_prefix": token.public_prefix,
        "name": token.name,
        "digest": token.digest.hex(),
        "scopes": " ".join(sorted(token.scopes)),
        "setting_prefix": token.setting_prefix,
        "created_at": token.created_at,
        "expires_at": token.expires_at,
        "owner": token.owner,
    }


def _application(row: Row[Any], cipher: SecretCipher) -> Application:
    approved = orjson.loads(row.approval)
    digests = (row.claim_digest, row.token_digest, row.secret_digest)
    return Application(
        id=row.id,
        manifest=_manifest(row.manifest),
        status=Status(row.status),
        approval=Approval(
            scopes=frozenset(scope for scope in Scope if scope in approved["scopes"]),
            setting_prefix=approved["setting_prefix"],
            defaults=approved["defaults"],
            track=approved["track"],
            groups=tuple(approved["groups"]),
        ),
        created_at=row.created_at,
        expires_at=row.expires_at,
        redirect_uri=row.redirect_uri,
        invite_digest=row.invite_digest and bytes.fromhex(row.invite_digest),
        public_token=row.public_token and cipher.decrypt(row.public_token),
        digests=Digests(*map(bytes.fromhex, digests)) if all(digests) else None,
        previous=None if row.previous_digests is None else _previous(row.previous_digests, row.previous_expires_at),
        rotated_at=row.rotated_at,
    )


def _previous(digests: str, expires_at: int) -> PreviousCredentials:
    return PreviousCredentials(Digests(*map(bytes.fromhex, digests.split())), expires_at)


def _application_row(application: Application, cipher: SecretCipher) -> dict[str, Any]:
    digests, approval, previous = application.digests, application.approval, application.previous
    approved = {
        "scopes": sorted(approval.scopes),
        "setting_prefix": approval.setting_prefix,
        "defaults": dict(approval.defaults),
        "track": dict(approval.track),
        "groups": list(approval.groups),
    }
    return {
        "id": application.id,
        "status": application.status.value,
        "manifest": _text(application.manifest.parts()),
        "approval": _text(approved),
        "created_at": application.created_at,
        "expires_at": application.expires_at,
        "redirect_uri": application.redirect_uri,
        "invite_digest": application.invite_digest and application.invite_digest.hex(),
        "public_token": application.public_token and cipher.encrypt(application.public_token),
        "claim_digest": digests and digests.claim_token.hex(),
        "token_digest": digests and digests.settings_token.hex(),
        "secret_digest": digests and digests.client_secret.hex(),
        "previous_digests": previous and " ".join(each.hex() for each in previous.digests.each()),
        "previous_expires_at": previous and previous.expires_at,
        "rotated_at": application.rotated_at,
    }


def _device_code(row: Mapping[Any, Any]) -> DeviceCode:
    return DeviceCode(**{**row, "digest": bytes.fromhex(row["digest"]), "manifest": _manifest(row["manifest"])})


def _device_code_row(code: DeviceCode) -> dict[str, Any]:
    return {
        "digest": code.digest.hex(),
        "manifest": _text(code.manifest.parts()),
        "address": code.address,
        "chosen_by": code.chosen_by,
        "created_at": code.created_at,
        "expires_at": code.expires_at,
        "opened_at": code.opened_at,
        "decision": code.decision,
        "application_id": code.application_id,
        "used_at": code.used_at,
    }


def _session(row: Row[Any]) -> Session:
    return Session(
        digest=bytes.fromhex(row.digest),
        public_prefix=row.public_prefix,
        person=row.person,
        granted=Access(frozenset(scope for scope in Scope if scope in row.scopes.split()), row.setting_prefix),
        address=row.address,
        created_at=row.created_at,
        last_used_at=row.last_used_at,
        expires_at=row.expires_at,
    )


def _session_row(session: Session) -> dict[str, Any]:
    return {
        "digest": session.digest.hex(),
        "public_prefix": session.public_prefix,
        "person": session.person,
        "scopes": " ".join(sorted(session.granted.scopes)),
        "setting_prefix": session.granted.setting_prefix,
        "address": session.address,
        "created_at": session.created_at,
        "last_used_at": session.last_used_at,
        "expires_at": session.expires_at,
    }


def _manifest(text: str) -> Manifest:
    parts = orjson.loads(text)
    return Manifest(**{**parts, "scopes": tuple(parts["scopes"])})


def _text(value: Any) -> str:
    return orjson.dumps(value).decode()
