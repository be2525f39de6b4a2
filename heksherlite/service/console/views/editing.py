"""Forms that change a setting or one of its rules. What they send goes into the draft."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from fastapi import APIRouter, Request, Response

from heksherlite import names
from heksherlite import operations as ops
from heksherlite.service.api.context import Context, ReadableStore
from heksherlite.service.api.routes import requires_person
from heksherlite.service.console.drafting import Entered, add_to_draft, checked
from heksherlite.service.console.editors import EditError, editor_of, read_again, read_value
from heksherlite.service.console.indexes import index_of
from heksherlite.service.console.links import CONTEXT
from heksherlite.service.console.owners import owner_of, owner_of_default
from heksherlite.service.console.people import person_of
from heksherlite.service.console.rendering import redirect, render
from heksherlite.service.console.routes import ConsoleRoute
from heksherlite.service.console.schema_fields import UNITS
from heksherlite.service.domain.entities import Entry, Rule
from heksherlite.service.domain.rights import Rights
from heksherlite.service.domain.times import read_time, show_time
from heksherlite.service.domain.tokens import Scope
from heksherlite.service.errors import BadRequestError, RequestError
from heksherlite.service.pages.form import Form, read_form
from heksherlite.service.pages.wording import words_of

router = APIRouter(include_in_schema=False, route_class=ConsoleRoute)

may_edit_values = requires_person(Scope.WRITE, Scope.PROPOSE, reads=True)

_CONDITION = "f."

_LIFETIMES: Final[Mapping[str, str]] = {"1": "1 hour", "8": "8 hours", "24": "1 day", "168": "1 week"}
"""After how many hours a rule may end, with their names."""


@router.get("/console/settings/{name}/edit")
@may_edit_values
async def edit_rule(request: Request, name: str, store: ReadableStore, context: Context) -> Response:
    """Show the form for a new rule, or for the one that the query names."""
    entry = store.catalog.entry(name)
    rule = _rule(entry, request.query_params.get("rule", ""))
    value = entry.setting.default_value if rule is None else rule.value
    entered = Entered(ends_after=request.query_params.get("ends_after", ""))
    if rule is None:
        for feature in entry.setting.configurable_features:
            entered.conditions[feature] = request.query_params.get(CONTEXT + feature, "")
    else:
        entered.conditions = dict(rule.conditions)
        if rule.schedule is not None:
            entered.starts_at, entered.ends_at = _local(rule.schedule.starts_at), _local(rule.schedule.ends_at)
        draft = await context.store.drafts.get(person_of(request).draft_owner)
        drafted = draft.find(ops.DeleteRule(setting=entry.setting.name, feature_values=entered.conditions))
        if isinstance(drafted, ops.PutRule):
            value = drafted.value
            entered.starts_at, entered.ends_at = _local(drafted.starts_at), _local(drafted.ends_at)
    return await _show_rule(request, store, entry, rule, value, entered)


@router.post("/console/settings/{name}/edit")
@may_edit_values
async def take_rule(request: Request, name: str, store: ReadableStore, context: Context) -> Response:
    """Take a rule into the draft, or show the form again with what is wrong."""
    form = await read_form(request)
    entry = store.catalog.entry(name)
    setting = entry.setting
    rule = _rule(entry, form.text("rule"))
    entered = Entered(
        starts_at=form.text("starts_at"), ends_at=form.text("ends_at"), ends_after=form.text("ends_after")
    )
    if rule is not None:
        entered.conditions = dict(rule.conditions)
    else:
        entered.conditions = {each: form.text(_CONDITION + each) for each in setting.configurable_features}
    value = setting.default_value if rule is None else rule.value
    if form.text("mode") == "more":
        return await _show_rule(request, store, entry, rule, read_again(setting, form), entered)
    value = _value(entry, form, entered, value)
    conditions = {feature: text for feature, text in entered.conditions.items() if text}
    if not conditions:
        entered.faults["conditions"] = "fill in at least one condition, or set the default for everybody instead"
    for feature, text in conditions.items():
        if not names.is_context_feature_value(text):
            entered.faults[_CONDITION + feature] = (
                f"{text[:100]!r} cannot be a value of {feature}: a value has {names.CONTEXT_FEATURE_VALUE_ALLOWED}"
            )
    times = _times(entered, store.now())
    if not entered.faults:
        operation = ops.PutRule(setting=setting.name, feature_values=conditions, value=value, **times)  # type: ignore[arg-type]  # both are times
        try:
            await _add(request, context, checked(operation))
            return redirect(request, "draft")
        except RequestError as error:
            entered.faults["form"] = words_of(error)
    return await _show_rule(request, store, entry, rule, value, entered, status=422)


@router.get("/console/settings/{name}/default")
@may_edit_values
async def edit_default(request: Request, name: str, store: ReadableStore) -> Response:
    """Show the form for the operator's default."""
    entry = store.catalog.entry(name)
    return await _show_default(request, entry, entry.setting.default_value, Entered())


@router.post("/console/settings/{name}/default")
@may_edit_values
async def take_default(request: Request, name: str, store: ReadableStore, context: Context) -> Response:
    """Take a default into the draft, or show the form again with what is wrong."""
    form = await read_form(request)
    entry = store.catalog.entry(name)
    entered = Entered()
    if form.text("mode") == "more":
        return await _show_default(request, entry, read_again(entry.setting, form), entered)
    value = _value(entry, form, entered, entry.setting.default_value)
    if not entered.faults:
        try:
            await _add(request, context, checked(ops.SetDefault(setting=entry.setting.name, value=value)))
            return redirect(request, "draft")
        except RequestError as error:
            entered.faults["form"] = words_of(error)
    return await _show_default(request, entry, value, entered, status=422)


@router.post("/console/settings/{name}/clear-default")
@may_edit_values
async def clear_default(request: Request, name: str, store: ReadableStore, context: Context) -> Response:
    """Take the removal of the operator's default into the draft."""
    await read_form(request)
    await _add(request, context, ops.ClearDefault(setting=store.catalog.entry(name).setting.name))
    return redirect(request, "draft")


@router.post("/console/settings/{name}/delete-rule")
@may_edit_values
async def delete_rule(request: Request, name: str, store: ReadableStore, context: Context) -> Response:
    """Take the deletion of a rule into the draft."""
    form = await read_form(request)
    entry = store.catalog.entry(name)
    rule = _rule(entry, form.text("rule"))
    if rule is None:
        raise BadRequestError("the form names no rule")
    operation = ops.DeleteRule(setting=entry.setting.name, feature_values=dict(rule.conditions))
    await _add(request, context, operation)
    return redirect(request, "draft")


@router.post("/console/settings/{name}/protect")
@requires_person(Scope.ADMIN)
async def protect(request: Request, name: str, store: ReadableStore, context: Context) -> Response:
    """Take the protection of a setting, or its end, into the draft."""
    form = await read_form(request)
    name = store.catalog.entry(name).setting.name
    await _add(request, context, ops.SetProtection(setting=name, protected=bool(form.text("protected"))))
    return redirect(request, "draft")


@router.post("/console/settings/{name}/client-visible")
@requires_person(Scope.ADMIN)
async def show_to_clients(request: Request, name: str, store: ReadableStore, context: Context) -> Response:
    """Take into the draft that clients with only the scope ``evaluate`` see a setting, or do not."""
    form = await read_form(request)
    name = store.catalog.entry(name).setting.name
    await _add(request, context, ops.SetClientVisible(setting=name, client_visible=bool(form.text("client_visible"))))
    return redirect(request, "draft")


async def _add(request: Request, context: Context, operation: ops.AnyOperation) -> None:
    """Add an operation to the draft, unless it is impossible as things are."""
    rights = Rights(None, request.state.identity.setting_prefix, ignores_protection=True)
    draft = await context.store.drafts.get(person_of(request).draft_owner)
    others = tuple(each for each in draft.operations if each is not draft.find(operation))
    preview = await context.changer.preview([*others, operation], rights)
    reasons = [each.reason for each in preview.outcome.conflicts if each.operation == len(others)]
    if reasons:
        raise BadRequestError("; ".join(reasons))
    await add_to_draft(request, [operation])


def _value(entry: Entry, form: Form, entered: Entered, before: Any) -> Any:
    kind = "json" if form.text("mode") == "json" else form.text("kind")
    if kind == "json":
        entered.raw = (form.texts("json") or [""])[-1]
    try:
        return read_value(entry.setting, form, kind)
    except EditError as error:
        entered.faults["value"] = str(error)
        entered.value_faults = error.faults
        return error.value if error.faults else before


def _times(entered: Entered, now: datetime) -> dict[str, datetime | None]:
    """Return when a rule starts and ends. What is wrong is added to the faults."""
    times: dict[str, datetime | None] = {}
    for field in ("starts_at", "ends_at"):
        try:
            times[field] = read_time(getattr(entered, field)) if getattr(entered, field) else None
        except ValueError as error:
            entered.faults[field] = str(error)
    if not entered.ends_after:
        starts_at, ends_at = times.get("starts_at"), times.get("ends_at")
        if ends_at is not None and ends_at <= (starts_at or now):
            entered.faults["ends_at"] = "the end is " + ("in the past" if starts_at is None else "not after the start")
        return times
    if entered.ends_at or entered.ends_after not in _LIFETIMES:
        entered.faults["ends_at"] = "choose either a time or after how long the rule ends"
        return times
    begins = max(now, times.get("starts_at") or now)
    times["ends_at"] = (begins + timedelta(hours=int(entered.ends_after))).replace(second=0, microsecond=0)
    return times


def _rule(entry: Entry, number: str) -> Rule | None:
    if not number:
        return None
    rule = entry.rules.get(int(number)) if number.isascii() and number.isdigit() and len(number) < 19 else None
    if rule is None:
        raise BadRequestError(f"setting {entry.setting.name!r} has no rule {number[:100]}; it may have been deleted")
    return rule


def _local(time: object) -> str:
    return show_time(time).removesuffix("Z")[:16] if isinstance(time, datetime) else ""


async def _show_rule(
    request: Request,
    store: ReadableStore,
    entry: Entry,
    rule: Rule | None,
    value: Any,
    entered: Entered,
    *,
    status: int = 200,
) -> Response:
    view = index_of(request).view(store.catalog)
    return await render(
        request,
        "edit",
        status=status,
        setting=entry.setting,
        rule=rule,
        features=store.catalog.in_order(entry.setting.configurable_features),
        suggestions=view.suggestions,
        editor=editor_of(entry.setting, value, raw=entered.raw, faults=entered.value_faults),
        entered=entered,
        units=UNITS,
        owner=owner_of(rule),
        lifetimes=_LIFETIMES,
        now=store.now(),
        for_everybody=False,
    )


async def _show_default(request: Request, entry: Entry, value: Any, entered: Entered, *, status: int = 200) -> Response:
    return await render(
        request,
        "edit",
        status=status,
        setting=entry.setting,
        rule=None,
        features=[],
        suggestions={},
        editor=editor_of(entry.setting, value, raw=entered.raw, faults=entered.value_faults),
        entered=entered,
        units=UNITS,
        owner=owner_of_default(entry.setting),
        for_everybody=True,
    )
