"""Device codes in the database: all services on it agree on what became of each."""

from dataclasses import replace
from typing import Any, Final, Literal

import orjson
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from heksherlite.service.domain.applications import Application, Approval, Status, change, denial
from heksherlite.service.domain.credentials import new_application_id
from heksherlite.service.domain.device_codes import LIFETIME, ChosenBy, CodeState, DeviceCode, code_digest, new_code
from heksherlite.service.domain.errors import ConflictError, NotFoundError
from heksherlite.service.domain.history import Cause
from heksherlite.service.domain.manifests import Manifest
from heksherlite.service.storage import tables
from heksherlite.service.storage.applications import (
    check_approval,
    give_credentials,
    insert_application,
    manifest_from,
    read_application,
)
from heksherlite.service.storage.transactions import Transactions, record

_columns = tables.device_codes.c

_KEPT_SECONDS: Final = 600
"""For how long it is remembered what became of a code that cannot be used any more."""

_MOST_CODES: Final = 10_000


class DeviceCodes:
    """The device codes of a database.

    Every method raises `DatabaseUnavailableError` if the database cannot be reached. Times are in seconds since the
    epoch.

    Args:
        transactions: Those of the database.
    """

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    async def start(self, manifest: Manifest, address: str | None, now: float, *, lifetime: int = LIFETIME) -> str:
        """Make a code for an application that asks for one.

        Args:
            manifest: Which application asks.
            address: From where.
            now: The time.
            lifetime: For how many seconds the code is good.

        Returns:
            The code. It is not kept.

        Raises:
            ConflictError: There are too many codes.
        """

        async def work(connection: AsyncConnection) -> str:
            code = new_code()
            await _insert(connection, _new(code, manifest, address, "service", int(now), lifetime))
            return code

        return await self._transactions.write(work)

    async def find(self, code: str) -> DeviceCode | None:
        """Return what is known of a code, or None if there is no such code."""
        return await self._transactions.read(lambda connection: _read(connection, code_digest(code)))

    async def open(self, code: str, manifest: Manifest | None, address: str | None, now: float) -> DeviceCode | None:
        """Note that a person reads the page of a code.

        Args:
            code: The code. If it is not known, the client chose it, and it is from now on.
            manifest: Which application asks, as the address of the page says. This counts only for a code that is not
                known yet, and only once; None if it says nothing.
            address: From where the page is opened.
            now: The time.

        Returns:
            What is known of the code now, or None if it is unknown and no manifest came along.

        Raises:
            ConflictError: There are too many codes.
        """

        async def work(connection: AsyncConnection) -> DeviceCode | None:
            known = await _read(connection, code_digest(code))
            if known is None:
                if manifest is None:
                    return None
                chosen = replace(_new(code, manifest, address, "client", int(now), LIFETIME), opened_at=int(now))
                await _insert(connection, chosen)
                return chosen
            if known.state(now) is not CodeState.WAITING:
                return known
            opened = update(tables.device_codes).where(_columns.digest == known.digest.hex())
            await connection.execute(opened.values(opened_at=int(now)))
            return replace(known, opened_at=int(now))

        return await self._transactions.write(work)

    async def approve(self, code: str, approval: Approval, cause: Cause, now: float) -> Application:
        """Let the application of a code in.

        Args:
            code: A code that was opened, and not decided on.
            approval: What the application gets: of the scopes, only such as it asks for.
            cause: Who approves, and why.
            now: The time.

        Returns:
            The application, which has not come for its token yet.

        Raises:
            NotFoundError: There is no such code.
            ConflictError: It was decided on already, or has expired.
            BadRequestError: The approval makes no sense.
        """

        async def work(connection: AsyncConnection) -> Application:
            undecided = await _undecided(connection, code, now)
            await check_approval(connection, approval, undecided.manifest.scopes)
            application = Application(
                id=new_application_id(),
                manifest=undecided.manifest,
                status=Status.APPROVED,
                approval=approval,
                created_at=int(now),
                expires_at=undecided.expires_at,
            )
            await insert_application(connection, application)
            await _decide(connection, undecided, "approved", application.id)
            await record(connection, cause, [change(None, application)])
            return application

        return await self._transactions.write(work)

    async def deny(self, code: str, cause: Cause, now: float) -> None:
        """Refuse the application of a code.

        Raises:
            NotFoundError: There is no such code.
            ConflictError: It was decided on already, or has expired.
        """

        async def work(connection: AsyncConnection) -> None:
            undecided = await _undecided(connection, code, now)
            await _decide(connection, undecided, "denied", None)
            await record(connection, cause, [denial(undecided.manifest)])

        await self._transactions.write(work)

    async def take(self, code: str, now: float) -> str | None:
        """Use an approved code up.

        Returns:
            The claim token of the application, or None if the code is not approved, or was used in the meantime.
        """

        async def work(connection: AsyncConnection) -> str | None:
            known = await _read(connection, code_digest(code))
            if known is None or known.state(now) is not CodeState.APPROVED or known.application_id is None:
                return None
            application = await read_application(connection, known.application_id)
            if application is None:
                return None
            used = update(tables.device_codes).where(_columns.digest == known.digest.hex())
            await connection.execute(used.values(used_at=int(now)))
            return await give_credentials(connection, application)

        return await self._transactions.write(work)


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


async def _read(connection: AsyncConnection, digest: bytes) -> DeviceCode | None:
    rows = await connection.execute(select(tables.device_codes).where(_columns.digest == digest.hex()))
    row = rows.mappings().one_or_none()
    if row is None:
        return None
    return DeviceCode(**{**row, "digest": bytes.fromhex(row.digest), "manifest": manifest_from(row.manifest)})


async def _insert(connection: AsyncConnection, code: DeviceCode) -> None:
    old = _columns.expires_at < code.created_at - _KEPT_SECONDS
    await connection.execute(delete(tables.device_codes).where(old))
    if (await connection.scalar(select(func.count()).select_from(tables.device_codes)) or 0) >= _MOST_CODES:
        raise ConflictError("too many applications ask to be let in; try again later")
    row: dict[str, Any] = {
        "digest": code.digest.hex(),
        "manifest": orjson.dumps(code.manifest.parts()).decode(),
        "address": code.address,
        "chosen_by": code.chosen_by,
        "created_at": code.created_at,
        "expires_at": code.expires_at,
        "opened_at": code.opened_at,
    }
    await connection.execute(insert(tables.device_codes).values(row))


async def _undecided(connection: AsyncConnection, code: str, now: float) -> DeviceCode:
    known = await _read(connection, code_digest(code))
    if known is None:
        raise NotFoundError("there is no such code")
    state = known.state(now)
    if state is CodeState.EXPIRED:
        raise ConflictError("the code has expired; the application has to ask again")
    if state is not CodeState.OPENED:
        raise ConflictError(
            f"the code is {state.value} already" if state is not CodeState.WAITING else "open its page first"
        )
    return known


async def _decide(
    connection: AsyncConnection, code: DeviceCode, decision: Literal["approved", "denied"], application_id: str | None
) -> None:
    decided = update(tables.device_codes).where(_columns.digest == code.digest.hex())
    await connection.execute(decided.values(decision=decision, application_id=application_id))
