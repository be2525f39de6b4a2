"""``/console/bulk``: the same edit of several settings or rules. What the forms send goes into the draft."""

from collections.abc import Sequence
from typing import Any, Final

import orjson
from fastapi import APIRouter, Request, Response

from heksherlite import operations as ops
from heksherlite.json_texts import parse_json
from heksherlite.service.api.access_denied import AccessDeniedError
from heksherlite.service.api.context import Context, ReadableStore
from heksherlite.service.api.routes import requires_person
from heksherlite.service.api.store_view import StoreView
from heksherlite.service.console.differing import copied, differing_rules
from heksherlite.service.console.drafting import add_to_draft, checked
from heksherlite.service.console.editors import EditError, editor_of, read_again, read_value
from heksherlite.service.console.indexes import index_of
from heksherlite.service.console.people import person_of
from heksherlite.service.console.rendering import redirect, render
from heksherlite.service.console.routes import ConsoleRoute
from heksherlite.service.console.schema_fields import UNITS
from heksherlite.service.console.searching import search_of
from heksherlite.service.domain.entities import Entry, Rule, Setting
from heksherlite.service.domain.rights import Rights
from heksherlite.service.domain.tokens import PERMITS, Scope
from heksherlite.service.errors import BadRequestError, RequestError
from heksherlite.service.pages.form import Form, read_form
from heksherlite.service.pages.wording import fault_of_json, words_of

router = APIRouter(include_in_schema=False, route_class=ConsoleRoute)

may_edit_many = requires_person(Scope.WRITE, Scope.PROPOSE, Scope.ADMIN, reads=True)

_MOST: Final = 1_000
"""The maximum number of settings or rules that are edited together."""

_FOR_ADMINISTRATORS: Final = frozenset({"protect", "end_protection", "delete"})


@router.get("/console/bulk")
@may_edit_many
async def show_bulk(request: Request, store: ReadableStore, context: Context) -> Response:
    """Show what can be done with the chosen settings, all that a search finds, or the chosen rules of a setting."""
    query = request.query_params
    names = query.getlist("setting")
    if query.get("found"):
        search = await search_of(query, store)
        view = index_of(request).view(store.catalog)
        names = [each.name for each in await context.changer.computed(lambda: search.found(view))]
    return await _show(request, store, names, query.getlist("rule"))


@router.post("/console/bulk")
@may_edit_many
async def take_bulk(request: Request, store: ReadableStore, context: Context) -> Response:
    """Take the edits into the draft, or show the forms again with what is wrong."""
    form = await read_form(request)
    names, numbers = (" ".join(form.texts(each)).split() for each in ("setting", "rule"))
    do = form.text("do")
    person = person_of(request)
    if do in _FOR_ADMINISTRATORS and not person.may_administer:
        raise AccessDeniedError(403, f"you may not {PERMITS[Scope.ADMIN]}", needed_scope=Scope.ADMIN)
    if do not in _FOR_ADMINISTRATORS and not person.may_propose:
        needed = f"{PERMITS[Scope.PROPOSE]} or {PERMITS[Scope.WRITE]}"
        raise AccessDeniedError(403, f"you may not {needed}", needed_scope=Scope.PROPOSE)
    entries, rules = _entries(store, names), _rules(store, names, numbers)
    shared = _shared(entries)
    if shared is not None and do == "more":
        return await _show(request, store, names, numbers, form=form, value=read_again(shared, form))
    try:
        operations = _of_rules(entries[0], rules, form, do) if numbers else _of_settings(entries, form, do)
        if not operations:
            raise BadRequestError("there is nothing to do: no rule of the chosen settings is concerned")
        operations = [checked(each) for each in operations]
        preview = await context.changer.preview(
            operations, Rights(None, request.state.identity.setting_prefix, ignores_protection=True)
        )
        if preview.outcome.conflicts:
            raise BadRequestError("; ".join(dict.fromkeys(each.reason for each in preview.outcome.conflicts[:10])))
        await add_to_draft(request, operations)
    except EditError as error:
        problem = "the value was not added; the message beside it says why"
        return await _show(request, store, names, numbers, form=form, problem=problem, fault=error)
    except RequestError as error:
        return await _show(request, store, names, numbers, form=form, problem=words_of(error))
    return redirect(request, "draft")


def _of_settings(entries: Sequence[Entry], form: Form, do: str) -> list[ops.AnyOperation]:
    names = [entry.setting.name for entry in entries]
    feature, value, to = form.text("feature"), form.text("from"), form.text("to")
    match do:
        case "value" | "json":
            conditions = {each[2:]: form.text(each) for each in form.names() if each.startswith("f.")}
            conditions = {each: text for each, text in conditions.items() if text}
            new = _value(entries, form, do)
            if not conditions:
                return [ops.SetDefault(setting=name, value=new) for name in names]
            return [ops.PutRule(setting=name, feature_values=conditions, value=new) for name in names]
        case "copy":
            if not (feature and value and to):
                raise BadRequestError("fill in the context feature and both of its values")
            rows = differing_rules(entries, feature, value, to)
            return [copied(row, feature, to) for row in rows if row.left is not None or form.text("exactly")]
        case "delete_rules":
            if not (feature and value):
                raise BadRequestError("fill in the context feature and its value")
            return [
                ops.DeleteRule(setting=entry.setting.name, feature_values=dict(rule.conditions))
                for entry in entries
                for rule in entry.rules.values()
                if (feature, value) in rule.conditions
            ]
        case "protect" | "end_protection":
            return [ops.SetProtection(setting=name, protected=do == "protect") for name in names]
        case "delete":
            return [ops.DeleteSetting(setting=name) for name in names]
    raise BadRequestError(f"there is no action {do[:100]!r} for settings")


def _of_rules(entry: Entry, rules: Sequence[Rule], form: Form, do: str) -> list[ops.AnyOperation]:
    name = entry.setting.name
    match do:
        case "value" | "json":
            value = _value([entry], form, do)
            return [ops.PutRule(setting=name, feature_values=dict(rule.conditions), value=value) for rule in rules]
        case "copy":
            feature, to = form.text("feature"), form.text("to")
            if not (feature and to):
                raise BadRequestError("fill in the context feature and its other value")
            return [_copy(name, rule, feature, to) for rule in rules if feature in dict(rule.conditions)]
        case "delete_rules":
            return [ops.DeleteRule(setting=name, feature_values=dict(rule.conditions)) for rule in rules]
    raise BadRequestError(f"there is no action {do[:100]!r} for rules")


def _copy(name: str, rule: Rule, feature: str, to: str) -> ops.AnyOperation:
    times: dict[str, Any] = {"starts_at": None, "ends_at": None}
    if rule.schedule is not None:
        times = {"starts_at": rule.schedule.starts_at, "ends_at": rule.schedule.ends_at}
    return ops.PutRule(setting=name, feature_values={**dict(rule.conditions), feature: to}, value=rule.value, **times)


def _shared(entries: Sequence[Entry]) -> Setting | None:
    """Return the first setting if all of them have the same type and schema, so that one editor fits them."""
    first = entries[0].setting
    same = all(_constraints(each.setting) == _constraints(first) for each in entries)
    return first if same else None


def _constraints(setting: Setting) -> tuple[str, Any]:
    return str(setting.type), None if setting.schema is None else setting.schema.document


def _value(entries: Sequence[Entry], form: Form, do: str) -> Any:
    """Return the value that a person entered.

    Raises:
        EditError: It is no value of the settings, which have a common type.
        BadRequestError: It is not JSON.
    """
    shared = _shared(entries)
    if shared is None or not form.text("kind"):
        return _json(form)
    return read_value(shared, form, "json" if do == "json" else form.text("kind"))


def _json(form: Form) -> Any:
    text = (form.texts("json") or [""])[-1]
    try:
        return parse_json(text)
    except orjson.JSONDecodeError as error:
        raise BadRequestError(f"{fault_of_json(text, error)}; a text is written in quotation marks") from error


def _entries(store: StoreView, names: Sequence[str]) -> Sequence[Entry]:
    if not names:
        raise BadRequestError("choose at least one row: tick the boxes at the beginning of the rows, then continue")
    if len(names) > _MOST:
        raise BadRequestError(
            f"at most {_MOST} settings are edited together; these are {len(names)}, so narrow the search"
        )
    return [store.catalog.entry(name) for name in dict.fromkeys(names)]


def _rules(store: StoreView, names: Sequence[str], numbers: Sequence[str]) -> Sequence[Rule]:
    if not numbers:
        return ()
    if len(names) != 1 or len(numbers) > _MOST:
        raise BadRequestError(f"at most {_MOST} rules of one setting are edited together")
    rules = store.catalog.entry(names[0]).rules
    found = [rules.get(int(each)) if each.isascii() and each.isdigit() and len(each) < 19 else None for each in numbers]
    if missing := [number for number, rule in zip(numbers, found, strict=True) if rule is None]:
        raise BadRequestError(f"setting {names[0]!r} has no rule {missing[0][:100]}; it may have been deleted")
    return [rule for rule in found if rule is not None]


async def _show(
    request: Request,
    store: StoreView,
    names: Sequence[str],
    numbers: Sequence[str],
    *,
    form: Form | None = None,
    problem: str = "",
    fault: EditError | None = None,
    value: Any = None,
) -> Response:
    entries, rules = _entries(store, names), _rules(store, names, numbers)
    common = frozenset.intersection(*[entry.setting.configurable_features for entry in entries])
    some = frozenset[str]().union(*[entry.setting.configurable_features for entry in entries])
    entered = {} if form is None else {name: (form.texts(name) or [""])[-1] for name in form.names()}
    shared, editor, is_raw = _shared(entries), None, entered.get("do") == "json"
    if shared is not None:
        if value is None:
            value = rules[0].value if rules else shared.default_value
        if fault is not None and fault.faults:
            value = fault.value
        faults = {} if fault is None else fault.faults
        editor = editor_of(shared, value, raw=entered.get("json") if is_raw else None, faults=faults)
    return await render(
        request,
        "bulk",
        editor=editor,
        fault="" if fault is None else str(fault),
        is_raw=is_raw,
        units=UNITS,
        status=422 if problem else 200,
        problem=problem,
        entries=entries,
        rules=rules,
        common=store.catalog.in_order(common),
        features=store.catalog.in_order(some),
        types=sorted({str(entry.setting.type) for entry in entries}),
        example=orjson.dumps(rules[0].value if rules else entries[0].setting.default_value).decode(),
        suggestions=index_of(request).view(store.catalog).suggestions,
        entered=entered,
    )
