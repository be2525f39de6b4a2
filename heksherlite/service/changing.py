"""Making changes: what every face of the service does with a list of operations, whether it previews or makes them."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, TypeVar

import orjson

from heksherlite.operations import AnyOperation
from heksherlite.service.domain import proposing
from heksherlite.service.domain.authors import BY_SCHEDULE, Cause
from heksherlite.service.domain.catalog import Catalog, Decision
from heksherlite.service.domain.deciding import Conflict, Outcome, decide
from heksherlite.service.domain.history import Change
from heksherlite.service.domain.impact import Impact, impact_of
from heksherlite.service.domain.limits import Limits
from heksherlite.service.domain.lineage import RevisionId
from heksherlite.service.domain.proposals import Proposal
from heksherlite.service.domain.proposing import Statement
from heksherlite.service.domain.protection import require_unprotected
from heksherlite.service.domain.ranked_rules import RankedRulesCache
from heksherlite.service.domain.rights import Rights
from heksherlite.service.domain.times import show_time
from heksherlite.service.domain.touched import changed_since, same_touched
from heksherlite.service.errors import (
    ConflictError,
    NotFoundError,
    NotPermittedError,
    OperationConflictsError,
)
from heksherlite.service.storage.history_search import Search
from heksherlite.service.storage.store import Store
from heksherlite.service.turns import Turns

T = TypeVar("T")

_ATTEMPTS: Final = 6
"""How many times a list is decided. The last time, only writes to what it touches stand in its way."""

_MOST_CHARACTERS: Final = 200
"""How much of a value a conflict shows."""

_IMPACT_SECONDS: Final = 5.0
"""How long the impact of one change is computed. Rules that many features combine can have very many regions."""

_MOST_CONFLICTS: Final = 100
"""How many conflicts with what others changed are described."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What a list of operations comes to.

    Attributes:
        catalog: What there was when it was decided.
        limited: The part of it that the author may see.
        outcome: The changes, the results, and the conflicts.
    """

    catalog: Catalog
    limited: Catalog
    outcome: Outcome

    @property
    def conflicts(self) -> list[dict[str, Any]]:
        """The conflicts, as the API shows them."""
        return [conflict.as_json() for conflict in self.outcome.conflicts]


@dataclass(frozen=True, slots=True)
class Made:
    """A change that was made, or that would be.

    Attributes:
        preview: What it comes to.
        revision: The revision that it made; if nothing changed, the revision as it was.
    """

    preview: Preview
    revision: int


class Changer:
    """Previews and makes changes to a store.

    Args:
        store: The store.
        limits: The limits of what is stored.
    """

    def __init__(self, store: Store, limits: Limits) -> None:
        self._store = store
        self._limits = limits
        self._turns = Turns()  # because what is computed in a thread changes the cache of rules
        self.ranked_rules = RankedRulesCache()

    async def preview(
        self, operations: Sequence[AnyOperation], rights: Rights, *, base_revision: int | None = None
    ) -> Preview:
        """Return what a list of operations would come to now.

        Args:
            operations: The operations, in their order.
            rights: What their author may do.
            base_revision: The revision that the author looked at. None: what others changed since is no conflict.

        Raises:
            NotPermittedError: An operation is not permitted.
            OutsidePrefixError: An operation is about settings that may not be changed.
            NotFoundError: The history does not go back to the base revision, or there is no such revision yet.
            NotCaughtUpError: The base revision is newer than what is known here, and the database cannot be reached.
        """
        rights.check(operations)
        if base_revision is not None and base_revision > self._store.catalog.counters.revision:
            await self._store.catch_up()  # the author looked at another replica
        whole = self._store.catalog
        preview = await self.computed(partial(self._decide, whole, operations, rights))
        moved = await self._moved(whole, preview.outcome, base_revision, sees_people=rights.sees_people)
        if not moved:
            return preview
        conflicts = sorted([*preview.outcome.conflicts, *moved], key=lambda conflict: conflict.operation)
        return replace(preview, outcome=replace(preview.outcome, conflicts=tuple(conflicts)))

    async def number_of(self, revision: int | str | None) -> int | None:
        """Return the number of a revision that an author looked at.

        Args:
            revision: Its number or its name; None for none.

        Raises:
            ConflictError: The name is that of a revision of another database, or of one that was put back.
            NotCaughtUpError: The name is not known here, and the database cannot be reached.
        """
        name = RevisionId.parse(revision) if isinstance(revision, str) else None
        if name is None:
            return None if revision is None else int(revision)
        if not self._has(name):
            await self._store.catch_up()  # the author looked at another replica
            if not self._has(name):
                raise ConflictError(
                    f"revision {name} is not one of this service: it is of another service, or the database was put"
                    " back to an earlier state; look at what there is now, and try again"
                )
        return name.number

    def _has(self, revision: RevisionId) -> bool:
        catalog = self._store.catalog
        return revision == catalog.counters.revision_id or not catalog.lineage.excludes(revision)

    async def impact(self, preview: Preview) -> Impact | None:
        """Return in which contexts a list of operations changes values. None if there are conflicts."""
        outcome = preview.outcome
        if outcome.conflicts:
            return None

        def compute() -> Impact:
            end = time.monotonic() + _IMPACT_SECONDS
            return impact_of(
                preview.limited,
                outcome.after,
                outcome.changes,
                self.ranked_rules.get,
                is_over=lambda: time.monotonic() > end,
            )

        return await self.computed(compute)

    async def computed(self, compute: Callable[[], T]) -> T:
        """Return what is computed in a thread, by which `ranked_rules` may be used meanwhile."""
        return await self._turns.compute(compute)

    async def make(
        self,
        operations: Sequence[AnyOperation],
        rights: Rights,
        cause: Cause,
        *,
        base_revision: int | None = None,
    ) -> Made:
        """Make a list of operations as one change, or nothing of it.

        Args:
            operations: The operations, in their order.
            rights: What their author may do.
            cause: Who makes the change, and why.
            base_revision: As for `preview`.

        Raises:
            OperationConflictsError: Operations cannot be made, or others changed what they touch.
            NotPermittedError: An operation is not permitted.
            OutsidePrefixError: An operation is about settings that may not be changed.
            NotFoundError: The history does not go back to the base revision, or there is no such revision yet.
            DatabaseUnavailableError: The database cannot be reached. Nothing is changed.
        """

        def as_it_is(preview: Preview) -> Decision[Made]:
            revision = preview.catalog.next_revision if preview.outcome.changes else preview.catalog.counters.revision
            return Decision(Made(preview, revision), preview.outcome.changes)

        return await self._write(operations, rights, cause, base_revision, as_it_is)

    async def approve(self, proposal: Proposal, by: Statement, rights: Rights) -> Proposal:
        """Approve a proposal. It is applied at once if it is not to be applied later.

        Args:
            proposal: The proposal.
            by: Who approves it.
            rights: What they may do.

        Returns:
            The proposal as it is then.

        Raises:
            NotPermittedError: They are its author, or may not make its operations.
            OperationConflictsError: It cannot be applied as things are. It stays open.
            ConflictError: It was decided before.
        """

        def approved(preview: Preview) -> Decision[Proposal]:
            return proposing.approve(preview.catalog, proposal.id, by, lambda _: preview.outcome)

        rights = replace(rights, ignores_protection=True)
        cause = Cause(by.author, proposal.reason)
        return await self._write(
            proposal.operations, rights, cause, proposal.base_revision, approved, raises_conflicts=False
        )

    async def apply_due(self, proposal: Proposal) -> None:
        """Apply an approved proposal whose time has come, within the rights that its approver has now."""

        def applied(preview: Preview) -> Decision[Proposal | None]:
            return proposing.apply(preview.catalog, proposal.id, lambda _: preview.outcome)

        cause = replace(BY_SCHEDULE, reason=proposal.reason)
        try:
            rights = self._rights_of_approver(proposal)
            await self._write(
                proposal.operations, rights, cause, proposal.base_revision, applied, raises_conflicts=False
            )
        except (NotPermittedError, NotFoundError) as error:
            reason = str(error)
            await self._store.write(lambda catalog: proposing.fail(catalog, proposal.id, reason), cause)

    def _rights_of_approver(self, proposal: Proposal) -> Rights:
        if proposal.approving_token is None:
            access = proposal.approving_access
            return Rights(access.scopes, access.setting_prefix, ignores_protection=True)
        token = self._store.tokens.get(proposal.approving_token)
        if token is None or token.expired(self._store.now().timestamp()):
            raise NotPermittedError("the token that it was approved with was revoked or has expired")
        return Rights(token.scopes, token.setting_prefix, ignores_protection=True)

    async def _write(
        self,
        operations: Sequence[AnyOperation],
        rights: Rights,
        cause: Cause,
        base_revision: int | None,
        decision_of: Callable[[Preview], Decision[T]],
        *,
        raises_conflicts: bool = True,
    ) -> T:
        """Preview a list of operations, and write what follows from that if nobody wrote meanwhile."""
        for remaining in reversed(range(_ATTEMPTS)):
            preview = await self.preview(operations, rights, base_revision=base_revision)
            if raises_conflicts and preview.outcome.conflicts:
                raise OperationConflictsError(preview.conflicts)
            has_base = base_revision is not None
            decide_now = partial(
                self._decide_on, preview, operations, rights, decision_of, has_base=has_base, is_last=not remaining
            )
            with suppress(_MovedError):
                return await self._store.write(decide_now, cause)
            await self._store.load()  # others may have written through another replica
        # What the operations touch was changed after the base revision, so a preview says by whom.
        preview = await self.preview(operations, rights, base_revision=base_revision)
        if preview.outcome.conflicts:
            raise OperationConflictsError(preview.conflicts)
        raise ConflictError("others changed the same while this change was made; look at it and try again")

    def _decide_on(
        self,
        preview: Preview,
        operations: Sequence[AnyOperation],
        rights: Rights,
        decision_of: Callable[[Preview], Decision[T]],
        catalog: Catalog,
        *,
        has_base: bool,
        is_last: bool,
    ) -> Decision[T]:
        if catalog is preview.catalog:
            return decision_of(preview)
        if not is_last or (has_base and not same_touched(preview.catalog, catalog, preview.outcome.touched)):
            raise _MovedError
        return decision_of(self._decide(catalog, operations, rights))

    def _decide(self, whole: Catalog, operations: Sequence[AnyOperation], rights: Rights) -> Preview:
        catalog = whole.limited_to(rights.setting_prefix)
        outcome = decide(catalog, operations, self._store.now())
        if not rights.ignores_protection:
            require_unprotected(catalog, outcome.changes)
        self._limits.check(whole, outcome.changes)
        return Preview(catalog=whole, limited=catalog, outcome=outcome)

    async def _moved(
        self, catalog: Catalog, outcome: Outcome, base_revision: int | None, *, sees_people: bool
    ) -> list[Conflict]:
        newest = catalog.counters.revision
        if base_revision is None or base_revision == newest:
            return []
        if base_revision > newest:
            raise NotFoundError(f"there is no revision {base_revision} yet; the newest is {newest}")
        undone = await self._store.history.changes_to_undo(after=base_revision, until=catalog.counters.revision_id)
        if undone is None:
            raise ConflictError(
                "the database was put back to an earlier state; look at what there is now, and try again"
            )
        return [
            await self._described(catalog, index, change, sees_people=sees_people)
            for index, change in list(changed_since(undone, outcome.touched))[:_MOST_CONFLICTS]
        ]

    async def _described(self, catalog: Catalog, index: int, change: Change, *, sees_people: bool) -> Conflict:
        """Return the conflict with what somebody else changed: who, when, and from what to what."""
        entry = None if change.setting_id is None else catalog.entries.get(change.setting_id)
        name = None if entry is None else entry.setting.name
        search = Search(limit=1, rule_id=change.rule_id, setting_name=None if change.rule_id else name)
        page = await self._store.history.search(search, changes_per_record=100)
        what = "the order of the context features" if change.setting_id is None else f"setting {name!r}"
        if change.rule_id is not None:
            what = f"rule {change.rule_id} of setting {name!r}"
        if not page.records:
            return Conflict(index, f"{what} was changed meanwhile", name, change.rule_id)
        (record,) = page.records
        author = record.cause.author
        by = f"{author.kind} {author.name}" if author.name and sees_people else author.kind
        last = next((each for each in record.changes if each.rule_id == change.rule_id), None)
        values = "" if last is None else f" from {_value(change.before)} to {_value(last.after)}"
        reason = f"{what} was changed{values} in revision {record.revision} by {by} at {show_time(record.time)}"
        return Conflict(index, reason, name, change.rule_id)


class _MovedError(Exception):
    """Somebody else wrote between a decision and its write."""


def _value(shown: Any) -> str:
    """Return what a conflict shows of a rule or setting, which is JSON or None."""
    if shown is None:
        return "nothing"
    value = shown.get("value", shown) if isinstance(shown, dict) else shown
    text = orjson.dumps(value).decode()
    return text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]}..."
