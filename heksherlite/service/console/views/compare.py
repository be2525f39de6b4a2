"""``/console/compare``: what differs between two values of a context feature, to be copied into a draft."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from fastapi import APIRouter, Request, Response

from heksherlite import operations as ops
from heksherlite.service.api.context import Context, ReadableStore
from heksherlite.service.api.routes import requires_person
from heksherlite.service.console.drafting import add_to_draft
from heksherlite.service.console.indexes import index_of
from heksherlite.service.console.numbers import read_number
from heksherlite.service.console.rendering import redirect, render
from heksherlite.service.console.routes import ConsoleRoute
from heksherlite.service.console.views.editing import may_edit
from heksherlite.service.domain.catalog import Catalog
from heksherlite.service.domain.entities import Rule
from heksherlite.service.domain.json_values import same_json
from heksherlite.service.domain.tokens import Scope
from heksherlite.service.errors import BadRequestError
from heksherlite.service.pages.form import read_form

router = APIRouter(include_in_schema=False, route_class=ConsoleRoute)

_PAGE_SIZE: Final = 200


@dataclass(frozen=True, slots=True)
class Row:
    """A rule for one value of the feature beside the rule for the other value with the same further conditions."""

    setting: str
    others: Mapping[str, str]
    left: Rule | None
    right: Rule | None
    key: str


@router.get("/console/compare")
@requires_person(Scope.READ)
async def show_comparison(request: Request, store: ReadableStore, context: Context) -> Response:
    """Show the rules that differ between two values of a context feature."""
    query = request.query_params
    number = read_number(query.get("page", "1"), "page")
    start = (number - 1) * _PAGE_SIZE
    catalog = store.catalog
    feature, left, right = (query.get(name, "").strip() for name in ("feature", "left", "right"))
    view = index_of(request).view(catalog)
    rows: list[Row] = []
    asked = bool(feature and left and right)
    if asked:
        rows = await context.changer.computed(
            lambda: list(islice(_rows(catalog, feature, left, right), start, start + _PAGE_SIZE + 1))
        )
    return await render(
        request,
        "compare",
        feature=feature or (catalog.context_features[0] if catalog.context_features else ""),
        features=catalog.context_features,
        left=left,
        right=right,
        suggestions=sorted({value for values in view.suggestions.values() for value in values})[:200],
        asked=asked,
        rows=rows[:_PAGE_SIZE],
        start=start,
        number=number,
        has_more=len(rows) > _PAGE_SIZE,
    )


@router.post("/console/compare")
@may_edit
async def copy(request: Request, store: ReadableStore, context: Context) -> Response:
    """Take what makes the right side like the left one into the draft: the chosen rows, or all values."""
    form = await read_form(request)
    feature, left, right = (form.text(name) for name in ("feature", "left", "right"))
    if not (feature and left and right):
        raise BadRequestError("the form does not say what to copy")
    catalog = store.catalog
    rows = await context.changer.computed(lambda: list(_rows(catalog, feature, left, right)))
    chosen = frozenset(form.texts("row"))
    operations = [_copied(row, feature, right) for row in rows if row.key in chosen or (form.text("all") and row.left)]
    if not operations:
        raise BadRequestError("choose at least one row")
    await add_to_draft(request, operations)
    return redirect(request, "draft")


def _rows(catalog: Catalog, feature: str, left: str, right: str) -> Iterator[Row]:
    for entry in sorted(catalog.entries.values(), key=lambda entry: entry.setting.name):
        if feature not in entry.setting.configurable_features:
            continue
        conditions = ((feature, left), (feature, right))
        sides: dict[tuple[tuple[str, str], ...], list[Rule | None]] = {}
        for rule in entry.rules.values():
            for place, condition in enumerate(conditions):
                if condition in rule.conditions:
                    others = tuple([each for each in rule.conditions if each[0] != feature])
                    sides.setdefault(others, [None, None])[place] = rule
        for others, (one, other) in sorted(sides.items(), key=lambda item: item[0]):
            if one is None or other is None or not _same(one, other):
                key = f"{entry.setting.id} {0 if one is None else one.id} {0 if other is None else other.id}"
                yield Row(entry.setting.name, dict(others), one, other, key)


def _same(one: Rule, other: Rule) -> bool:
    times = [
        None if rule.schedule is None else (rule.schedule.starts_at, rule.schedule.ends_at) for rule in (one, other)
    ]
    return same_json(one.value, other.value) and times[0] == times[1]


def _copied(row: Row, feature: str, right: str) -> ops.AnyOperation:
    conditions = {**row.others, feature: right}
    if row.left is None:
        return ops.DeleteRule(setting=row.setting, feature_values=conditions)
    times: dict[str, Any] = {"starts_at": None, "ends_at": None}
    if row.left.schedule is not None:
        times = {"starts_at": row.left.schedule.starts_at, "ends_at": row.left.schedule.ends_at}
    return ops.PutRule(setting=row.setting, feature_values=conditions, value=row.left.value, **times)
