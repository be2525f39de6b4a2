"""The rows of proposals."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final

import orjson
from sqlalchemy import Delete, bindparam, delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from heksherlite.operations import operation_from
from heksherlite.service.domain.authors import Author
from heksherlite.service.domain.json_values import Json
from heksherlite.service.domain.proposals import Comment, Proposal, ProposalState
from heksherlite.service.domain.times import read_time, show_time
from heksherlite.service.domain.tokens import NO_ACCESS, Access, Scope
from heksherlite.service.errors import NotFoundError
from heksherlite.service.storage import tables
from heksherlite.service.storage.database import Database
from heksherlite.service.storage.statements import Statements
from heksherlite.service.storage.writing import Writer

_columns = tables.proposals.c
_DELETE_PROPOSAL: Final = delete(tables.proposals).where(_columns.id == bindparam("proposal_id"))
_INSERT_PROPOSAL: Final = insert(tables.proposals)
_PENDING: Final = (ProposalState.OPEN.value, ProposalState.APPROVED.value)


async def write_proposals(statements: Statements, proposals: Sequence[Proposal], revision: int) -> None:
    """Store new and changed proposals.

    Args:
        statements: A connection that holds the write lock, or a batch of it.
        proposals: The proposals.
        revision: The revision of the write.
    """
    if proposals:
        await statements.execute(_DELETE_PROPOSAL, [{"proposal_id": each.id} for each in proposals])
        rows = [
            {
                "id": proposal.id,
                "state": proposal.state.value,
                "proposed_at": proposal.proposed_at,
                "content": orjson.dumps(_content(proposal)).decode(),
                "revision": revision,
            }
            for proposal in proposals
        ]
        await statements.execute(_INSERT_PROPOSAL, rows)


async def read_proposals_since(connection: AsyncConnection, revision: int) -> tuple[Proposal, ...]:
    """Return the proposals that changed after a revision; after revision 0, those that are still pending."""
    changed = _columns.revision > revision
    pending = _columns.state.in_(_PENDING)
    query = select(tables.proposals).where(changed if revision else pending).order_by(_columns.id)
    return tuple([_proposal(row) for row in await connection.execute(query)])


class Proposals:
    """The proposals of a database, pending and closed ones.

    Every method raises `DatabaseUnavailableError` if the database cannot be reached.

    Args:
        database: The database.
        writer: The writer of the database.
    """

    def __init__(self, database: Database, writer: Writer) -> None:
        self._database = database
        self._writer = writer

    async def get(self, proposal_id: int) -> Proposal:
        """Return a proposal.

        Raises:
            NotFoundError: There is no such proposal.
        """
        async with self._database.reading() as connection:
            rows = await connection.execute(select(tables.proposals).where(_columns.id == proposal_id))
            row = rows.one_or_none()
        if row is None:
            raise NotFoundError(f"proposal {proposal_id} does not exist")
        return _proposal(row)

    async def list(
        self, *, states: Sequence[ProposalState] | None, limit: int, before: int | None = None
    ) -> list[Proposal]:
        """Return proposals, the newest first.

        Args:
            states: Those in one of these states; None for all.
            limit: The maximum number of proposals.
            before: Only those with a lower number.
        """
        query = select(tables.proposals).order_by(_columns.id.desc()).limit(limit)
        if states is not None:
            query = query.where(_columns.state.in_([state.value for state in states]))
        if before is not None:
            query = query.where(_columns.id < before)
        async with self._database.reading() as connection:
            return [_proposal(row) for row in await connection.execute(query)]

    async def prune(self, before: datetime, *, oldest: int) -> None:
        """Delete closed proposals.

        Args:
            before: Only those that were proposed before this time.
            oldest: Only those that changed at this revision or earlier. A replica at a later one would not notice.
        """
        is_old = (_columns.state.not_in(_PENDING), _columns.proposed_at < before, _columns.revision <= oldest)
        async with self._database.reading() as connection:
            found = await connection.scalar(select(_columns.id).where(*is_old).limit(1))
        if found is not None:
            await self._writer.write(partial(_delete, delete(tables.proposals).where(*is_old)))


async def _delete(statement: Delete, connection: AsyncConnection) -> None:
    await connection.execute(statement)


def _content(proposal: Proposal) -> dict[str, Json]:
    return {
        "author": _of_author(proposal.author),
        "reason": proposal.reason,
        "operations": [operation.as_json() for operation in proposal.operations],
        "base_revision": proposal.base_revision,
        "apply_at": _of_time(proposal.apply_at),
        "decided_by": None if proposal.decided_by is None else _of_author(proposal.decided_by),
        "decided_at": _of_time(proposal.decided_at),
        "approving_token": proposal.approving_token,
        "approving_access": {
            "scopes": sorted(proposal.approving_access.scopes),
            "setting_prefix": proposal.approving_access.setting_prefix,
        },
        "applied_revision": proposal.applied_revision,
        "failure": proposal.failure,
        "comments": [
            {"author": _of_author(each.author), "time": show_time(each.time), "text": each.text}
            for each in proposal.comments
        ],
    }


def _proposal(row: Any) -> Proposal:
    content = orjson.loads(row.content)
    return Proposal(
        id=row.id,
        author=Author(**content["author"]),
        proposed_at=row.proposed_at,
        reason=content["reason"],
        operations=tuple([operation_from(each) for each in content["operations"]]),
        base_revision=content["base_revision"],
        apply_at=_time(content["apply_at"]),
        state=ProposalState(row.state),
        decided_by=None if content["decided_by"] is None else Author(**content["decided_by"]),
        decided_at=_time(content["decided_at"]),
        approving_token=content["approving_token"],
        approving_access=_access(content.get("approving_access")),
        applied_revision=content["applied_revision"],
        failure=content["failure"],
        comments=tuple(
            [Comment(Author(**each["author"]), read_time(each["time"]), each["text"]) for each in content["comments"]]
        ),
    )


def _of_author(author: Author) -> dict[str, Json]:
    return {
        "kind": author.kind,
        "name": author.name,
        "address": author.address,
        "id": author.id,
        "person": author.person,
        "token": author.token,
    }


def _access(shown: Any) -> Access:
    if shown is None:  # from before it was stored
        return NO_ACCESS
    return Access(frozenset(map(Scope, shown["scopes"])), shown["setting_prefix"])


def _of_time(time: datetime | None) -> str | None:
    return None if time is None else show_time(time)


def _time(shown: str | None) -> datetime | None:
    return None if shown is None else read_time(shown)
