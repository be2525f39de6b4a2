"""How the service's answers to operators are read."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Final, TypeVar

import orjson

from heksherlite.admin.explanations import (
    ExplainedRule,
    ExplainedSetting,
    Explanations,
    FailedCondition,
    PossibleValue,
)
from heksherlite.admin.results import (
    Author,
    Change,
    ChangeResult,
    Comment,
    DecidedBy,
    DeclarationDifference,
    DeclarationPreview,
    HistoryPage,
    Impact,
    LastChange,
    Proposal,
    ProposalPage,
    Record,
    Region,
    RuleDetails,
    SettingDetails,
    ShadowedRule,
    ValueChange,
)
from heksherlite.engine.messages import Request, Response
from heksherlite.engine.protocol import LINES
from heksherlite.engine.web_pages import describe_web_page
from heksherlite.errors import (
    AccessRefusedError,
    AdminError,
    ChangeConflictsError,
    OperationConflict,
    RequestRefusedError,
    ServiceResponseError,
    ServiceUnavailableError,
)
from heksherlite.operations import NOT_GIVEN, operation_from

T = TypeVar("T")

_LONGEST_TEXT: Final = 1_000
"""The number of characters that an error shows of an answer that is not from the service."""

_NO_ROUTE: Final = "Not Found"
"""What services that are made with Starlette or FastAPI say if they do not have what a request is for."""


def read_json(response: Response, read: Callable[[Any], T]) -> T:
    """Return what a function makes of the JSON of a response.

    Raises:
        ServiceResponseError: The response is not JSON, or the function does not find what it needs.
    """
    try:
        return read(orjson.loads(response.content))
    except KeyError as error:
        reason = f"the field {error.args[0]!r} is missing"
    except (TypeError, ValueError, AttributeError) as error:
        reason = describe_web_page(response.media_type, response.content) or f"malformed: {error}"
    raise ServiceResponseError(str(response.request), reason)


def export_lines(response: Response) -> bytes:
    """Return an export.

    Raises:
        ServiceResponseError: The response is something else.
    """
    if response.media_type != LINES:
        reason = f"expected the media type {LINES}, not {response.media_type or 'none'}"
        raise ServiceResponseError(str(response.request), reason)
    return response.content


def error_of(response: Response) -> AdminError:
    """Return the error that a response with an error status stands for."""
    request = str(response.request)
    problem = _problem(response)
    detail = problem.get("detail") or _text(response)
    if response.status == 404 and detail == _NO_ROUTE:
        detail = "there is no such route; check the URL of the service, and whether it is an older one"
    if response.status >= 500:
        outcome = "" if problem else outcome_of(response.request)  # the service itself tells it
        return ServiceUnavailableError(request, f"status {response.status}: {detail}{outcome}")
    if response.status in {401, 403}:
        return AccessRefusedError(request, detail, response.status)
    if response.status == 409:
        conflicts = problem.get("conflicts") or [detail]
        return ChangeConflictsError(request, tuple(map(conflict, conflicts)))
    errors = problem.get("errors")
    if isinstance(errors, list) and errors:
        return RequestRefusedError(request, "; ".join(map(_fault, errors)), response.status)
    return RequestRefusedError(request, detail, response.status)


def outcome_of(request: Request) -> str:
    """Return what to add to an error if nobody knows whether the service received a request."""
    return "" if request.repeatable else "; it is not known whether the service received the request"


def conflict(shown: Any) -> OperationConflict:
    """Return a conflict."""
    if isinstance(shown, str):
        return OperationConflict(operation=None, reason=shown)
    return OperationConflict(
        operation=shown["operation"], reason=shown["reason"], setting=shown["setting"], rule_id=shown["rule_id"]
    )


def change_result(shown: Any) -> ChangeResult:
    """Return the result of operations."""
    return ChangeResult(
        revision=shown["revision"],
        revision_name=shown["revision_name"],
        changes=_all(change, shown["changes"]),
        rule_ids=tuple([result.get("rule_id") for result in shown["results"]]),
        impact=impact(shown),
    )


def impact(shown: Any) -> Impact:
    """Return the impact of a change, or of a proposal."""
    regions = shown["impact"]
    return Impact(
        value_changes=_all(_value_change, (each for each in regions if "before" in each)),
        shadowed_rules=_all(_shadowed_rule, (each for each in regions if "shadowed_by" in each)),
        deleted_settings=tuple([each["setting"] for each in regions if each.get("deleted")]),
        truncated=shown.get("impact_truncated", False),
        counts=shown.get("impact_counts", {}),
        counts_are_minimums=shown.get("impact_counts_are_minimums", False),
    )


def change(shown: Any) -> Change:
    """Return a change."""
    return Change(
        kind=shown["kind"],
        setting=shown["setting"],
        rule_id=shown["rule_id"],
        name=shown.get("name"),
        before=shown["before"],
        after=shown["after"],
    )


def record(shown: Any) -> Record:
    """Return a record of the history."""
    return Record(
        revision=shown["revision"],
        time=_time(shown["time"]),
        author=_author(shown["author"]),
        reason=shown["reason"],
        reverts=shown["reverts"],
        break_glass=shown.get("break_glass", False),
        changes=_all(change, shown["changes"]),
        change_count=shown["change_count"],
    )


def history_page(shown: Any) -> HistoryPage:
    """Return a page of the history."""
    return HistoryPage(records=_all(record, shown["history"]), next=shown["next"])


def rule_details(shown: Any, rule_id: int) -> RuleDetails:
    """Return a rule."""
    return RuleDetails(
        rule_id=rule_id,
        setting=shown["setting"],
        feature_values=dict(shown["feature_values"]),
        value=shown["value"],
        metadata=shown["metadata"],
        **_schedule(shown),
    )


def setting_details(shown: Any) -> SettingDetails:
    """Return a setting."""
    return SettingDetails(
        name=shown["name"],
        type=shown["type"],
        default_value=shown["default_value"],
        version=shown["version"],
        configurable_features=tuple(shown["configurable_features"]),
        metadata=shown["metadata"],
        aliases=tuple(shown["aliases"]),
        declared_default_value=shown.get("declared_default_value", shown["default_value"]),
        operator_default_value=shown.get("operator_default_value", NOT_GIVEN),
        operator_default_metadata=shown.get("operator_default_metadata", {}),
        protected=shown.get("protected", False),
        client_visible=shown.get("client_visible", False),
        last_change=None if shown.get("last_change") is None else _last_change(shown["last_change"]),
    )


def declaration_preview(shown: Any) -> DeclarationPreview:
    """Return what a declaration would do."""
    return DeclarationPreview(
        outcome=shown["outcome"],
        previous_version=shown.get("previous_version"),
        latest_version=shown.get("latest_version"),
        differences=tuple([DeclarationDifference(**each) for each in shown.get("differences") or ()]),
    )


def undeclared_settings(shown: Any) -> dict[str, datetime | None]:
    """Return when settings were last declared, by name."""
    return {each["name"]: _optional(_time, each["last_declared_at"]) for each in shown["settings"]}


def explanations(shown: Any) -> Explanations:
    """Return the explanations of settings, at one time or at two."""
    and_at = shown.get("and_at")
    return Explanations(
        revision=shown["revision"],
        context_features=tuple(shown["context_features"]),
        explanations={each["setting"]: _explanation(each) for each in shown["explanations"]},
        and_at=None if and_at is None else explanations(and_at),
        differing=tuple(shown.get("differs", ())),
    )


def proposal(shown: Any) -> Proposal:
    """Return a proposal."""
    return Proposal(
        proposal_id=shown["proposal_id"],
        state=shown["state"],
        author=_author(shown["author"]),
        proposed_at=_time(shown["proposed_at"]),
        reason=shown["reason"],
        operations=_all(operation_from, shown["operations"]),
        base_revision=shown["base_revision"],
        apply_at=_optional(_time, shown["apply_at"]),
        decided_by=_optional(_author, shown["decided_by"]),
        decided_at=_optional(_time, shown["decided_at"]),
        applied_revision=shown["applied_revision"],
        failure=shown["failure"],
        comments=_all(_comment, shown["comments"]),
        conflicts=_all(conflict, shown.get("conflicts", ())),
        impact=impact(shown) if "impact" in shown else None,
    )


def proposal_page(shown: Any) -> ProposalPage:
    """Return a page of proposals."""
    return ProposalPage(proposals=_all(proposal, shown["proposals"]), next=shown["next"])


def _problem(response: Response) -> Mapping[str, Any]:
    try:
        shown = orjson.loads(response.content)
    except ValueError:
        return {}
    return shown if isinstance(shown, dict) and isinstance(shown.get("detail"), str) else {}


def _fault(shown: Mapping[str, Any]) -> str:
    """Return what is wrong with a part of a request, or with all of it."""
    place = shown.get("path") or ".".join(map(str, shown["loc"][1:]))
    return f"{place}: {shown['msg']}" if place else str(shown["msg"])


def _text(response: Response) -> str:
    """Return the beginning of an answer that may be from a proxy, or what to know about its status."""
    if 300 <= response.status < 400:
        return "redirects are not followed; use the URL that this one redirects to"
    return (
        describe_web_page(response.media_type, response.content)
        or response.content[:_LONGEST_TEXT].decode(errors="replace")
        or "the response is empty"
    )


def _all(read: Callable[[Any], T], shown: Iterable[Any]) -> tuple[T, ...]:
    return tuple([read(each) for each in shown])


def _optional(read: Callable[[Any], T], shown: Any) -> T | None:
    return None if shown is None else read(shown)


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _last_change(shown: Any) -> LastChange:
    return LastChange(
        revision=shown["revision"],
        time=_time(shown["time"]),
        author=_author(shown["author"]),
        reason=shown["reason"],
    )


def _author(shown: Any) -> Author:
    return Author(kind=shown["kind"], name=shown["name"], address=shown.get("address"))


def _comment(shown: Any) -> Comment:
    return Comment(author=_author(shown["author"]), time=_time(shown["time"]), text=shown["text"])


def _region(shown: Any) -> Region:
    return Region(
        where=shown["where"],
        exceptions=tuple(shown["except"]),
        exceptions_truncated=shown.get("except_truncated", False),
    )


def _decided_by(shown: Any) -> DecidedBy:
    return DecidedBy(kind=shown["kind"], rule_id=shown.get("rule_id"))


def _value_change(shown: Any) -> ValueChange:
    return ValueChange(
        setting=shown["setting"],
        region=_region(shown),
        before=shown["before"],
        after=shown["after"],
        before_by=_decided_by(shown["before_by"]),
        after_by=_decided_by(shown["after_by"]),
    )


def _shadowed_rule(shown: Any) -> ShadowedRule:
    return ShadowedRule(
        setting=shown["setting"], rule_id=shown["rule_id"], where=shown["where"], shadowed_by=shown["shadowed_by"]
    )


def _schedule(shown: Any) -> dict[str, Any]:
    return {
        "starts_at": _optional(_time, shown.get("starts_at")),
        "ends_at": _optional(_time, shown.get("ends_at")),
        "phase": shown.get("phase"),
    }


def _explained_rule(shown: Any) -> ExplainedRule:
    return ExplainedRule(
        rule_id=shown["rule_id"],
        feature_values=shown["feature_values"],
        value=shown["value"],
        outcome=shown["outcome"],
        failed=_optional(lambda failed: FailedCondition(**failed), shown.get("failed")),
        **_schedule(shown),
    )


def _possible_value(shown: Any) -> PossibleValue:
    return PossibleValue(region=_region(shown), value=shown["value"], decided_by=_decided_by(shown["decided_by"]))


def _explanation(shown: Any) -> ExplainedSetting:
    return ExplainedSetting(
        setting=shown["setting"],
        value=shown.get("value", NOT_GIVEN),
        decided_by=_optional(_decided_by, shown.get("decided_by")),
        missing=tuple(shown["missing"]),
        possible_values=_all(_possible_value, shown.get("regions", ())),
        possible_values_truncated=shown.get("regions_truncated", False),
        rules=_all(_explained_rule, shown["rules"]),
        rule_count=shown["rule_count"],
        rule_offset=shown["rule_offset"],
    )
