"""``/console/settings/NAME``: one setting, its rules, the explanation of its value, and its history."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from fastapi import APIRouter, Request, Response

from heksherlite.service.api.context import Context, ReadableStore
from heksherlite.service.api.routes import requires_person
from heksherlite.service.api.store_view import StoreView
from heksherlite.service.console.bar import bar_of
from heksherlite.service.console.describing import describe_record
from heksherlite.service.console.indexes import index_of
from heksherlite.service.console.numbers import read_number
from heksherlite.service.console.owners import owner_of, owner_of_default
from heksherlite.service.console.people import person_of
from heksherlite.service.console.rendering import redirect, render
from heksherlite.service.console.routes import ConsoleRoute
from heksherlite.service.domain.entities import Rule
from heksherlite.service.domain.explanations import Page, explain
from heksherlite.service.domain.history import Record
from heksherlite.service.domain.tokens import Scope
from heksherlite.service.errors import NotFoundError
from heksherlite.service.storage.history_search import Search

router = APIRouter(include_in_schema=False, route_class=ConsoleRoute)

PAGE_SIZE: Final = 50
_MOST_REGIONS: Final = 100


@router.get("/console/settings/{name}")
@requires_person(Scope.READ)
async def show_setting(request: Request, name: str, store: ReadableStore, context: Context) -> Response:
    """Show a setting."""
    person = person_of(request)
    catalog = store.catalog
    entry = catalog.find(name)
    if entry is None:
        raise NotFoundError(f"there is no setting {name[:100]!r}; it may have been deleted or renamed")
    if entry.setting.name != name:
        return redirect(request, f"settings/{entry.setting.name}")
    setting = entry.setting
    features = catalog.in_order(setting.configurable_features)
    own = index_of(request).view(catalog).indexed(entry)
    bar = bar_of(request, catalog, own.values, features=features)
    words = request.query_params.get("rules", "").casefold().split()
    number = read_number(request.query_params.get("page", "1"), "page")

    def explained() -> tuple[dict[str, Any], Sequence[Mapping[str, Any]], int]:
        ranked = context.changer.ranked_rules.get(catalog, entry)
        if words:
            whole = explain(catalog, entry, ranked, bar.context, Page(max(_MOST_REGIONS, len(entry.rules)), 0))
            matching = [rule for rule in whole["rules"] if _matches(rule, words)]
            first = (number - 1) * PAGE_SIZE
            return whole, matching[first : first + PAGE_SIZE], len(matching)
        page = Page(PAGE_SIZE, (number - 1) * PAGE_SIZE)
        explanation = explain(catalog, entry, ranked, bar.context, page)
        return explanation, explanation["rules"], len(entry.rules)

    explanation, listed, count = await context.changer.computed(explained)
    records = []
    if person.sees_everything:
        search = Search(limit=10, setting_name=setting.name, setting_id=setting.id)
        page_of_records = await store.history.search(search, changes_per_record=5)
        records = [describe_record(record, complete=person.sees_people) for record in page_of_records.records]
    winner = entry.rules.get(explanation.get("decided_by", {}).get("rule_id"))
    return await render(
        request,
        "setting",
        winner=winner,
        made=await _last_change(store, winner) if winner is not None and person.sees_everything else None,
        setting=setting,
        entry=entry,
        description=own.description,
        features=features,
        bar=bar,
        explanation=explanation,
        regions=explanation.get("regions", [])[:_MOST_REGIONS],
        rules=[{**rule, "rule": entry.rules[rule["rule_id"]]} for rule in listed],
        owners=sorted({owner for rule in listed if (owner := owner_of(entry.rules[rule["rule_id"]]))}),
        default_owner=owner_of_default(setting),
        rule_count=count,
        words=request.query_params.get("rules", ""),
        number=number,
        pages=max(1, -(-count // PAGE_SIZE)),
        records=records,
        declared=await store.last_declared.of(setting.id),
    )


@router.get("/console/settings/{name}/value")
@requires_person(Scope.READ)
async def show_value(request: Request, name: str, store: ReadableStore) -> Response:
    """Show the whole value of a rule, or the default, as JSON on several lines."""
    entry = store.catalog.entry(name)
    number = request.query_params.get("rule", "")
    rule = entry.rules.get(read_number(number, "rule")) if number else None
    if number and rule is None:
        raise NotFoundError(f"setting {entry.setting.name!r} has no rule {number[:100]}; it may have been deleted")
    value = entry.setting.default_value if rule is None else rule.value
    return await render(request, "value", setting=entry.setting, rule=rule, value=value)


async def _last_change(store: StoreView, rule: Rule) -> Record | None:
    """Return the record of the last change of a rule, if the history has it."""
    found = await store.history.search(
        Search(limit=1, setting_id=rule.setting_id, rule_id=rule.id), changes_per_record=1
    )
    return found.records[0] if found.records else None


def _matches(rule: Mapping[str, Any], words: Sequence[str]) -> bool:
    text = " ".join([*[f"{feature}={value}" for feature, value in rule["feature_values"].items()], str(rule["value"])])
    return all(word in text.casefold() for word in words)
