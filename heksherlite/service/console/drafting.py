"""What a draft comes to: its edits in words, its impact, and what stands in its way."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import orjson
from fastapi import Request
from pydantic import ValidationError

from heksherlite.operations import AnyOperation
from heksherlite.service.api.change_cause import MAX_REASON_LENGTH, author_of
from heksherlite.service.api.context import ServiceContext, context_of
from heksherlite.service.api.operation_bodies import checked_operation
from heksherlite.service.changing import Preview
from heksherlite.service.console.describing import Description, describe_operation
from heksherlite.service.console.later import Later, impacts_later, loses_value
from heksherlite.service.console.people import person_of
from heksherlite.service.domain.authors import Cause
from heksherlite.service.domain.deciding import Conflict
from heksherlite.service.domain.drafts import Draft
from heksherlite.service.domain.impact import Impact
from heksherlite.service.domain.limits import Limits
from heksherlite.service.domain.rights import Rights
from heksherlite.service.errors import BadRequestError, NotPermittedError, RequestError
from heksherlite.service.pages.wording import words_of


@dataclass(frozen=True, slots=True)
class Look:
    """What operations come to as things are.

    Attributes:
        edits: The operations in words, each with what stands in its way.
        impact: In which contexts values change. None if something stands in the way.
        changes_nothing: Whether the draft changes nothing, because everything already has these values.
        refusal: Why the person may not save the draft, or nothing.
        is_protected: Whether the reason is that a setting is protected.
        problem: Why the draft cannot be looked at, or nothing.
        others_changed: Whether others changed what the draft changes, and nothing else stands in the way.
        later: In which contexts values change later, when rules start or end.
        loses_value: Whether a rule gets an end that has none now, so that its present value does not come back.
    """

    edits: Sequence[tuple[Description, Sequence[Conflict]]]
    impact: Impact | None = None
    changes_nothing: bool = False
    refusal: str = ""
    is_protected: bool = False
    problem: str = ""
    others_changed: bool = False
    later: Sequence[Later] = ()
    loses_value: bool = False

    @property
    def conflicts_first(self) -> Sequence[tuple[int, Description, Sequence[Conflict]]]:
        """The edits with their positions. Those that something stands in the way of come first."""
        numbered = [(index, edit, conflicts) for index, (edit, conflicts) in enumerate(self.edits)]
        return sorted(numbered, key=lambda each: not each[2])

    @property
    def has_conflicts(self) -> bool:
        """Whether something stands in the way of an operation."""
        return any(conflicts for _, conflicts in self.edits)


def rights_of(request: Request) -> Rights:
    """Return what the person may change directly."""
    identity = request.state.identity
    return Rights(identity.scopes, identity.setting_prefix)


async def look_at(
    context: ServiceContext, operations: Sequence[AnyOperation], rights: Rights, *, base_revision: int | None
) -> Look:
    """Return what operations come to as things are.

    Args:
        context: The service.
        operations: The operations.
        rights: What the person may change directly.
        base_revision: The revision that the person looked at.
    """
    catalog = context.limited_catalogs.of(context.store.catalog, rights.setting_prefix)
    words = [describe_operation(operation, catalog) for operation in operations]
    refusal, is_protected = "", False
    may_propose = Rights(None, rights.setting_prefix, ignores_protection=True)
    try:
        try:
            preview = await context.changer.preview(operations, rights, base_revision=base_revision)
        except NotPermittedError as error:
            refusal = words_of(error)
            is_protected = await _only_protection(context, operations, rights)
            preview = await context.changer.preview(operations, may_propose, base_revision=base_revision)
        impact = await context.changer.impact(preview)
        conflicts = _by_operation(preview)
        without_base = False
        if conflicts:
            again = await context.changer.preview(operations, may_propose)
            without_base = not again.outcome.conflicts
        later = () if conflicts else await impacts_later(context, catalog, operations, rights.setting_prefix)
    except RequestError as error:
        return Look([(each, ()) for each in words], refusal=refusal, problem=words_of(error))
    return Look(
        [(each, conflicts.get(index, ())) for index, each in enumerate(words)],
        impact=impact,
        changes_nothing=not preview.outcome.changes and not conflicts,
        refusal=refusal,
        is_protected=is_protected,
        others_changed=without_base,
        later=later,
        loses_value=loses_value(operations, catalog),
    )


async def _only_protection(context: ServiceContext, operations: Sequence[AnyOperation], rights: Rights) -> bool:
    try:
        await context.changer.preview(operations, replace(rights, ignores_protection=True))
    except RequestError:
        return False
    return True


def _by_operation(preview: Preview) -> Mapping[int, Sequence[Conflict]]:
    found: dict[int, list[Conflict]] = {}
    for conflict in preview.outcome.conflicts:
        found.setdefault(conflict.operation, []).append(conflict)
    return found


def checked(operation: AnyOperation) -> AnyOperation:
    """Return an operation that a form contains, checked as the API does.

    Raises:
        BadRequestError: A field is malformed.
    """
    try:
        return checked_operation(operation.as_json())
    except ValidationError as error:
        raise BadRequestError(words_of(error)) from error


async def add_to_draft(
    request: Request, operations: Iterable[AnyOperation], *, base_revision: int | None = None
) -> Draft:
    """Add operations to the draft of a person.

    Args:
        request: The request.
        operations: The operations, checked.
        base_revision: The revision that the person looked at; None for the newest.
    """
    context = context_of(request)
    operations = list(operations)
    newest = context.store.catalog.counters.revision
    base = newest if base_revision is None else base_revision
    owner = person_of(request).draft_owner
    draft = await context.store.drafts.get(owner)
    if draft.base_revision is not None and draft.base_revision < newest:
        # What was drafted before stays based on what the person saw then, unless nobody has touched it since.
        look = await look_at(context, draft.operations, rights_of(request), base_revision=draft.base_revision)
        if not look.has_conflicts and not look.problem:
            draft = replace(draft, base_revision=newest)
    known_base = draft.base_revision

    def edit(present: Draft) -> Draft:
        if present.base_revision is not None and known_base is not None:
            present = replace(present, base_revision=max(present.base_revision, known_base))
        return _within_limits(present.with_operations(operations, base), context.options.limits)

    return await context.store.drafts.change(owner, edit, now=time.time())


def _within_limits(draft: Draft, limits: Limits) -> Draft:
    """Return a draft that is no larger than a change may be.

    Raises:
        BadRequestError: It is larger.
    """
    if len(draft.operations) > limits.max_operations:
        raise BadRequestError(f"a draft may have {limits.max_operations} edits; save or discard some first")
    size = sum(len(orjson.dumps(operation.as_json())) for operation in draft.operations)
    if size > limits.max_changes_size:
        raise BadRequestError(
            f"the draft would have {size} bytes, and at most {limits.max_changes_size} are possible; save or discard"
            " some edits first"
        )
    return draft


def cause_of(request: Request, reason: str) -> Cause:
    """Return the author and the reason of a change.

    Raises:
        BadRequestError: The reason is too long.
    """
    if len(reason) > MAX_REASON_LENGTH or "\0" in reason:
        raise BadRequestError(f"a reason has at most {MAX_REASON_LENGTH} characters, without NUL")
    return Cause(author_of(request), reason.strip() or None)


@dataclass(slots=True)
class Entered:
    """What a person entered into a form about a rule, to show it again with its faults."""

    conditions: dict[str, str] = field(default_factory=dict)
    starts_at: str = ""
    ends_at: str = ""
    ends_after: str = ""
    raw: str | None = None
    value_faults: Mapping[str, str] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)
