"""The calls of the service's API for operators: what is sent, and how the answer is read. No I/O."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, Generic, TypeAlias, TypeVar
from urllib.parse import quote

from heksherlite.admin import reading
from heksherlite.admin.results import (
    ChangeResult,
    DeclarationPreview,
    Explanations,
    HistoryPage,
    Proposal,
    ProposalPage,
    ProposalState,
    Record,
    RuleDetails,
    SettingDetails,
)
from heksherlite.engine.messages import Request, Response
from heksherlite.operations import Operation

T = TypeVar("T")

Moment: TypeAlias = int | str | datetime
"""A revision, the name of a revision, or a time. A time without an offset is in UTC."""

_EVERY_STATUS: Final = frozenset(range(200, 600))


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """A request, and how its answer is read.

    Attributes:
        request: The request. Each status is a response.
        read: Returns the result, given a response with a status below 300.
    """

    request: Request
    read: Callable[[Response], T]

    def result(self, response: Response) -> T:
        """Return the result.

        Raises:
            AdminError: The response has an error status.
            ServiceResponseError: The response is malformed.
        """
        if response.status >= 300:
            raise reading.error_of(response)
        return self.read(response)


def change(
    operations: Iterable[Operation],
    *,
    dry_run: bool = False,
    base_revision: int | None = None,
    reason: str | None = None,
    break_glass: bool = False,
) -> Call[ChangeResult]:
    """Make operations as one change, or none of them.

    Args:
        operations: The operations, in order. Each one may use what an earlier one made.
        dry_run: Whether to return the same result, or raise the same error, and change nothing.
        base_revision: The revision that the author looked at. What others changed since is a conflict, if an operation
            touches it. None: no conflict.
        reason: The reason, for the history.
        break_glass: Whether to change protected settings in an emergency. It requires scope ``admin`` and a reason.

    Returns:
        What changed, and what it does to the values of settings.

    Raises:
        ChangeConflictsError: Operations cannot be made. The message contains the conflicts.
        AdminError: There is no answer, or the request is refused for another reason.
    """
    body = _without_none(
        operations=[operation.as_json() for operation in operations],
        dry_run=dry_run,
        base_revision=base_revision,
        reason=reason,
        break_glass=break_glass,
    )
    return _json_call("POST", "changes", reading.change_result, body=body, changes_nothing=dry_run)


def list_settings() -> Call[tuple[SettingDetails, ...]]:
    """Return all settings, sorted by name.

    Raises:
        AdminError: There is no answer, or the request is refused.
    """

    def read(shown: Any) -> tuple[SettingDetails, ...]:
        return tuple([reading.setting_details(each) for each in shown["settings"]])

    return _json_call("GET", "settings", read, include_additional_data="true")


def setting(name: str) -> Call[SettingDetails]:
    """Return a setting.

    Args:
        name: Its name, or an alias.

    Raises:
        RequestRefusedError: There is no such setting: status 404.
        AdminError: There is no answer, or the request is refused for another reason.
    """
    return _json_call("GET", f"settings/{_quoted(name)}", reading.setting_details)


def rules(setting: str) -> Call[tuple[RuleDetails, ...]]:
    """Return all rules of a setting, also those that are not served now, ordered by id.

    Args:
        setting: Its name, or an alias.

    Raises:
        RequestRefusedError: There is no such setting: status 404.
        AdminError: There is no answer, or the request is refused for another reason.
    """

    def read(shown: Any) -> tuple[RuleDetails, ...]:
        return tuple([reading.rule_details(rule, rule["rule_id"]) for rule in shown["rules"]])

    return _json_call("GET", f"settings/{_quoted(setting)}", read, include_rules="true")


def rule(rule_id: int) -> Call[RuleDetails]:
    """Return a rule.

    Args:
        rule_id: Its id.

    Raises:
        RequestRefusedError: There is no such rule: status 404.
        AdminError: There is no answer, or the request is refused for another reason.
    """
    return _json_call("GET", f"rules/{rule_id}", partial(reading.rule_details, rule_id=rule_id))


def explain(
    settings: Sequence[str] | None = None,
    context: Mapping[str, str] | None = None,
    *,
    at: Moment | None = None,
    and_at: Moment | None = None,
    limit: int = 100,
    offset: int | None = None,
) -> Call[Explanations]:
    """Return why settings have their values in a context.

    Args:
        settings: Their names. None: all settings.
        context: The values of context features. The others are unknown, and the explanations list the possible values.
        at: The time or revision to explain. None: now.
        and_at: A second time or revision, to compare with.
        limit: The maximum number of rules to list for each setting.
        offset: The number of rules to skip. None: so many that the winner is listed.

    Raises:
        RequestRefusedError: There is no such setting (status 404), context feature or time (status 422).
        AdminError: There is no answer, or the request is refused for another reason.
    """
    return _json_call(
        "GET",
        "explain",
        reading.explanations,
        settings=None if settings is None else ",".join(settings),
        context=",".join([f"{feature}:{value}" for feature, value in context.items()]) if context else None,
        at=_moment(at),
        and_at=_moment(and_at),
        limit=limit,
        offset=offset,
    )


def history(
    *,
    setting: str | None = None,
    rule_id: int | None = None,
    application: str | None = None,
    author: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    before: int | None = None,
    limit: int = 100,
) -> Call[HistoryPage]:
    """Return the latest changes, the newest first.

    Args:
        setting: Only changes of settings that have or had this name, and of their rules.
        rule_id: Only changes of this rule.
        application: Only changes of applications with this identifier.
        author: Only changes by this token or person.
        since: Only changes at or after this time.
        until: Only changes before this time.
        before: Only revisions below this one.
        limit: The maximum number of records. A page of large changes has fewer.

    Raises:
        AdminError: There is no answer, or the request is refused.
    """
    return _json_call(
        "GET",
        "history",
        reading.history_page,
        setting=setting,
        rule_id=rule_id,
        application=application,
        author=author,
        since=_moment(since),
        until=_moment(until),
        before=before,
        limit=limit,
    )


def record(revision: int) -> Call[Record]:
    """Return all changes of a revision.

    Args:
        revision: The revision.

    Raises:
        RequestRefusedError: There is no such revision: status 404.
        AdminError: There is no answer, or the request is refused for another reason.
    """
    return _json_call("GET", f"history/{revision}", reading.record)


def revert(revision: int, *, reason: str | None = None) -> Call[int]:
    """Revert all changes of a revision with a new change, and return its revision.

    Args:
        revision: The revision to revert.
        reason: The reason, for the history.

    Raises:
        RequestRefusedError: There is no such revision: status 404.
        ChangeConflictsError: Others have changed the same things since. The message lists the conflicts.
        AdminError: There is no answer, or the request is refused for another reason.
    """
    body = _without_none(reason=reason)
    return _json_call("POST", f"history/{revision}/revert", lambda shown: int(shown["revision"]), body=body)


def propose(
    operations: Iterable[Operation],
    *,
    reason: str | None = None,
    base_revision: int | None = None,
    apply_at: datetime | None = None,
) -> Call[int]:
    """Propose operations for the approval of somebody else, and return the number of the proposal.

    Args:
        operations: The operations, in order.
        reason: The reason, for the history.
        base_revision: The revision that the author looked at, as for :meth:`change`.
        apply_at: When to apply the proposal after its approval. None: at once.

    Raises:
        ChangeConflictsError: Operations cannot be made now. The message contains the conflicts.
        AdminError: There is no answer, or the request is refused for another reason.
    """
    body = _without_none(
        operations=[operation.as_json() for operation in operations],
        reason=reason,
        base_revision=base_revision,
        apply_at=_moment(apply_at),
    )
    return _json_call("POST", "proposals", lambda shown: int(shown["proposal_id"]), body=body)


def list_proposals(
    *, states: Sequence[ProposalState] = (), before: int | None = None, limit: int = 100
) -> Call[ProposalPage]:
    """Return proposals, the newest first, without their conflicts and impact.

    Args:
        states: Only proposals in one of these states. Empty: all.
        before: Only proposals with lower numbers.
        limit: The maximum number of proposals.

    Raises:
        AdminError: There is no answer, or the request is refused.
    """
    return _json_call("GET", "proposals", reading.proposal_page, state=states, before=before, limit=limit)


def proposal(proposal_id: int) -> Call[Proposal]:
    """Return a proposal. If it is still to be applied, it has its conflicts and its impact now.

    Args:
        proposal_id: Its number.

    Raises:
        RequestRefusedError: There is no such proposal: status 404.
        AdminError: There is no answer, or the request is refused for another reason.
    """
    return _json_call("GET", f"proposals/{proposal_id}", reading.proposal)


def approve(proposal_id: int, *, comment: str | None = None) -> Call[Proposal]:
    """Approve somebody else's proposal, and return it. It is applied at once, or at its time.

    Args:
        proposal_id: Its number.
        comment: A comment.

    Raises:
        ChangeConflictsError: The proposal is closed, or cannot be applied now. The message contains the conflicts.
        AccessRefusedError: The token belongs to its author, or does not permit its operations.
        AdminError: There is no answer, or the request is refused for another reason.
    """
    return _json_call("POST", f"proposals/{proposal_id}/approve", reading.proposal, body=_without_none(comment=comment))


def reject(proposal_id: int, *, comment: str | None = None) -> Call[None]:
    """Reject a proposal, even if it was approved and waits for its time.

    Args:
        proposal_id: Its number.
        comment: A comment.

    Raises:
        ChangeConflictsError: The proposal is closed.
        AdminError: There is no answer, or the request is refused for another reason.
    """
    return _action(proposal_id, "reject", _without_none(comment=comment))


def withdraw(proposal_id: int, *, comment: str | None = None) -> Call[None]:
    """Withdraw one's own proposal.

    Args:
        proposal_id: Its number.
        comment: A comment.

    Raises:
        ChangeConflictsError: The proposal is closed.
        AccessRefusedError: It is somebody else's.
        AdminError: There is no answer, or the request is refused for another reason.
    """
    return _action(proposal_id, "withdraw", _without_none(comment=comment))


def comment(proposal_id: int, text: str) -> Call[None]:
    """Comment on a proposal.

    Args:
        proposal_id: Its number.
        text: The comment.

    Raises:
        ChangeConflictsError: The proposal is closed.
        AdminError: There is no answer, or the request is refused for another reason.
    """
    return _action(proposal_id, "comments", {"text": text})


def context_features() -> Call[tuple[str, ...]]:
    """Return the context features, from the most general to the most specific.

    Raises:
        AdminError: There is no answer, or the request is refused.
    """
    return _json_call("GET", "context_features", lambda shown: tuple(shown["context_features"]))


def preview_declaration(declaration: Mapping[str, Any]) -> Call[DeclarationPreview]:
    """Return what a declaration would do. Nothing is stored.

    Args:
        declaration: The body of the declaration, as :meth:`heksherlite.Setting.to_v1_declaration_body` returns it.

    Raises:
        RequestRefusedError: The declaration is invalid, or a context feature or the alias does not exist.
        AdminError: There is no answer, or the request is refused for another reason.
    """
    return _json_call(
        "POST", "declarations/preview", reading.declaration_preview, body=declaration, changes_nothing=True
    )


def export() -> Call[bytes]:
    """Return all settings and rules as of one revision, in the lines that ``heksherlite import`` reads.

    Raises:
        AdminError: There is no answer, or the request is refused.
    """
    return Call(_request("GET", "export", None, {}, repeatable=True), reading.export_lines)


def _json_call(
    method: str,
    path: str,
    read: Callable[[Any], T],
    *,
    body: Mapping[str, Any] | None = None,
    changes_nothing: bool = False,
    **params: object,
) -> Call[T]:
    repeatable = method == "GET" or changes_nothing
    return Call(_request(method, path, body, params, repeatable=repeatable), partial(reading.read_json, read=read))


def _action(proposal_id: int, action: str, body: Mapping[str, Any]) -> Call[None]:
    request = _request("POST", f"proposals/{proposal_id}/{action}", body, {}, repeatable=False)
    return Call(request, lambda _: None)


def _request(
    method: str, path: str, body: Mapping[str, Any] | None, params: Mapping[str, object], *, repeatable: bool
) -> Request:
    pairs: list[tuple[str, str]] = []
    for name, value in params.items():
        values = value if isinstance(value, list | tuple) else [] if value is None else [value]
        pairs += [(name, str(each)) for each in values]
    return Request(
        method,
        f"/api/v1/{path}",
        tuple(pairs),
        json=body,
        headers={"Accept": "application/json"},
        accept=_EVERY_STATUS,
        repeatable=repeatable,
    )


def _without_none(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _moment(moment: Moment | None) -> str | None:
    if not isinstance(moment, datetime):
        return None if moment is None else str(moment)
    time = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return time.isoformat().replace("+00:00", "Z")


def _quoted(name: str) -> str:
    return quote(name, safe="")
