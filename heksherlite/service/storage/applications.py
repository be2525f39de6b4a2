"""Applications in the database."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import orjson
from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from heksherlite.service.domain.applications import Application, Approval, Status, change
from heksherlite.service.domain.credentials import Digests, application_of, is_application_id, matches, new_credentials
from heksherlite.service.domain.errors import BadRequestError, NotFoundError
from heksherlite.service.domain.history import Cause
from heksherlite.service.domain.manifests import Manifest
from heksherlite.service.domain.tokens import Scope
from heksherlite.service.storage import tables
from heksherlite.service.storage.transactions import Transactions, move_revision, record

_columns = tables.applications.c


class Applications:
    """The applications of a database.

    Every method raises `DatabaseUnavailableError` if the database cannot be reached.

    Args:
        transactions: Those of the database.
    """

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    async def all(self) -> Sequence[Application]:
        """Return all applications, the oldest first."""
        return await self._transactions.read(read_applications)

    async def get(self, application_id: str) -> Application | None:
        """Return the application of an id, or None if there is none, as when it was revoked."""
        return await self._transactions.read(lambda connection: read_application(connection, application_id))

    async def add(self, application: Application, cause: Cause) -> None:
        """Store an application that was invited or registered.

        Raises:
            BadRequestError: What was approved for it makes no sense, or there is a public one of this identifier.
        """

        async def work(connection: AsyncConnection) -> None:
            await check_approval(connection, application.approval)
            if application.status is Status.PUBLIC and await _public(connection, application.identifier):
                raise BadRequestError(f"{application.identifier!r} is registered already; revoke it first")
            await insert_application(connection, application)
            await record(connection, cause, [change(None, application)])

        await self._transactions.write(work)

    async def approve_again(
        self, name: str, change_approval: Callable[[Approval], Approval], cause: Cause
    ) -> Sequence[Application]:
        """Change what was approved for applications.

        Args:
            name: The id of one, or the identifier of all that are called so.
            change_approval: Returns the new approval.
            cause: Who does it, and why.

        Returns:
            The applications, as they are now.

        Raises:
            NotFoundError: There is none.
            BadRequestError: The new approval makes no sense.
        """

        async def work(connection: AsyncConnection) -> Sequence[Application]:
            changed = []
            changes = []
            for application in await _named(connection, name):
                approval = change_approval(application.approval)
                after = replace(application, approval=approval)
                changed.append(after)
                if approval != application.approval:
                    await check_approval(connection, approval)
                    await _update(connection, after)
                    changes.append(change(application, after))
            if changes:
                await record(connection, cause, changes)
            return changed

        return await self._transactions.write(work)

    async def revoke(self, name: str, cause: Cause) -> Sequence[Application]:
        """Remove applications: their tokens, or their one-time tokens, are of no use any more.

        Args:
            name: The id of one, or the identifier of all that are called so.
            cause: Who does it, and why.

        Returns:
            Those that were removed.

        Raises:
            NotFoundError: There is none.
        """

        async def work(connection: AsyncConnection) -> Sequence[Application]:
            revoked = await _named(connection, name)
            for application in revoked:
                await connection.execute(delete(tables.applications).where(_columns.id == application.id))
            await record(connection, cause, [change(application, None) for application in revoked])
            return revoked

        return await self._transactions.write(work)

    async def redeem(self, one_time_token: str, manifest: Manifest, cause: Cause, now: float) -> str | None:
        """Let the application in that has a one-time token.

        Returns:
            Its claim token, or None if there is no such invitation, or not any more, or for another application.
        """
        application_id = application_of("invite", one_time_token)
        if application_id is None:
            return None

        async def find(connection: AsyncConnection) -> Application | None:
            invited = await read_application(connection, application_id)
            if invited is None or not matches(one_time_token, invited.invite_digest):
                return None
            usable = invited.identifier == manifest.identifier and not invited.expired(now)
            return invited if usable else None

        async def work(connection: AsyncConnection) -> str | None:
            invited = await find(connection)
            if invited is None:
                return None
            application = replace(invited, manifest=manifest, status=Status.ACTIVE, invite_digest=None, expires_at=None)
            credentials = new_credentials(invited.id)
            application = replace(application, digests=credentials.digests())
            await _update(connection, application)
            await record(connection, cause, [change(invited, application)])
            return credentials.claim_token

        # Nobody is kept waiting for the write lock by one-time tokens that are of no use.
        if await self._transactions.read(find) is None:
            return None
        return await self._transactions.write(work)

    async def public(self, identifier: str) -> Application | None:
        """Return the public application of an identifier, or None."""
        return await self._transactions.read(lambda connection: _public(connection, identifier))


async def read_applications(connection: AsyncConnection) -> Sequence[Application]:
    """Return all applications, the oldest first."""
    rows = await connection.execute(select(tables.applications).order_by(_columns.created_at, _columns.id))
    return [_application(row) for row in rows]


async def read_application(connection: AsyncConnection, application_id: str) -> Application | None:
    """Return the application of an id, or None."""
    if not is_application_id(application_id):
        return None
    rows = await connection.execute(select(tables.applications).where(_columns.id == application_id))
    row = rows.one_or_none()
    return None if row is None else _application(row)


async def insert_application(connection: AsyncConnection, application: Application) -> None:
    """Store a new application."""
    await connection.execute(insert(tables.applications).values(id=application.id, **_row(application)))


async def give_credentials(connection: AsyncConnection, application: Application) -> str:
    """Make an application that was approved an active one, and return its claim token."""
    credentials = new_credentials(application.id)
    active = replace(application, status=Status.ACTIVE, expires_at=None, digests=credentials.digests())
    await _update(connection, active)
    await move_revision(connection)
    return credentials.claim_token


async def check_approval(connection: AsyncConnection, approval: Approval, asked: Sequence[str] | None = None) -> None:
    """Check that an approval fits what there is.

    Raises:
        BadRequestError: It does not.
    """
    features = (await connection.scalars(select(tables.context_features.c.name))).all()
    groups = (await connection.scalars(select(tables.configuration_groups.c.name))).all()
    approval.check(context_features=features, groups=groups, asked=asked)


async def _named(connection: AsyncConnection, name: str) -> Sequence[Application]:
    one = await read_application(connection, name)
    found = [one] if one else [each for each in await read_applications(connection) if each.identifier == name]
    if not found:
        raise NotFoundError(f"there is no application {name!r}")
    return found


async def _public(connection: AsyncConnection, identifier: str) -> Application | None:
    rows = await connection.execute(select(tables.applications).where(_columns.status == Status.PUBLIC.value))
    found = [application for application in map(_application, rows) if application.identifier == identifier]
    return found[0] if found else None


async def _update(connection: AsyncConnection, application: Application) -> None:
    changed = update(tables.applications).where(_columns.id == application.id)
    await connection.execute(changed.values(_row(application)))


def _row(application: Application) -> dict[str, Any]:
    digests, approval = application.digests, application.approval
    approved = {
        "scopes": sorted(approval.scopes),
        "setting_prefix": approval.setting_prefix,
        "defaults": dict(approval.defaults),
        "track": dict(approval.track),
        "groups": list(approval.groups),
    }
    return {
        "status": application.status.value,
        "manifest": orjson.dumps(application.manifest.parts()).decode(),
        "approval": orjson.dumps(approved).decode(),
        "created_at": application.created_at,
        "expires_at": application.expires_at,
        "redirect_uri": application.redirect_uri,
        "invite_digest": application.invite_digest and application.invite_digest.hex(),
        "public_token": application.public_token,
        "claim_digest": digests and digests.claim_token.hex(),
        "token_digest": digests and digests.settings_token.hex(),
        "secret_digest": digests and digests.client_secret.hex(),
    }


def _application(row: Any) -> Application:
    approved = orjson.loads(row.approval)
    kept = (row.claim_digest, row.token_digest, row.secret_digest)
    return Application(
        id=row.id,
        manifest=manifest_from(row.manifest),
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
        public_token=row.public_token,
        digests=Digests(*map(bytes.fromhex, kept)) if all(kept) else None,
    )


def manifest_from(text: str) -> Manifest:
    """Return a manifest as it is stored."""
    parts = orjson.loads(text)
    return Manifest(**{**parts, "scopes": tuple(parts["scopes"])})
