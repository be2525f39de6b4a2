"""``/console/``: all settings, with their values in a context."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from fastapi import APIRouter, Request, Response
from starlette.background import BackgroundTask

from heksherlite.service.api.context import Context, ReadableStore
from heksherlite.service.api.routes import requires_person
from heksherlite.service.changing import Changer
from heksherlite.service.console.bar import Bar, Field, bar_of
from heksherlite.service.console.index import Indexed, View
from heksherlite.service.console.indexes import index_of
from heksherlite.service.console.numbers import read_number
from heksherlite.service.console.rendering import render
from heksherlite.service.console.routes import ConsoleRoute
from heksherlite.service.console.searching import FILTERS, search_of
from heksherlite.service.domain.catalog import Catalog
from heksherlite.service.domain.explanations import Page, explain
from heksherlite.service.domain.tokens import Scope

router = APIRouter(include_in_schema=False, route_class=ConsoleRoute)

PAGE_SIZE: Final = 50

TYPES: Final = ("bool", "int", "float", "str", "Enum", "Flags", "Sequence", "Mapping")


@dataclass(frozen=True, slots=True)
class Group:
    """Settings whose names begin with the same part, as far as they are on the page."""

    name: str
    size: int
    is_closed: bool
    rows: Sequence[Mapping[str, Any]]


@router.get("/console/")
@requires_person(Scope.READ)
async def show_settings(request: Request, store: ReadableStore, context: Context) -> Response:
    """Show the table of settings."""
    query = request.query_params
    catalog = store.catalog
    index = index_of(request)
    search = await search_of(query, store)
    closed = frozenset(query.getlist("closed"))
    prefix = search.prefix
    number = read_number(query.get("page", "1"), "page")

    def found() -> tuple[View, list[tuple[str, list[Indexed]]]]:
        view = index.view(catalog)
        _ = view.suggestions  # here, because it may take long
        chosen = search.found(view)
        grouped = groupby(sorted(chosen, key=lambda each: _group(each.name, prefix)), lambda e: _group(e.name, prefix))
        return view, [(group, list(settings)) for group, settings in grouped]

    view, groups = await context.changer.computed(found)
    total = sum(len(settings) for _, settings in groups)
    shown = [(group, each) for group, settings in groups if group not in closed for each in settings]
    pages = max(1, -(-len(shown) // PAGE_SIZE))
    number = min(number, pages)
    on_page = shown[(number - 1) * PAGE_SIZE : number * PAGE_SIZE]
    bar = bar_of(request, catalog, view.suggestions)
    values = await context.changer.computed(
        lambda: _values(catalog, context.changer, [each for _, each in on_page], bar.context)
    )
    changed = await store.history.headers({each.entry.setting.revision for _, each in on_page})
    rows = {
        each.name: {
            "indexed": each,
            "explained": values[each.name],
            "winner": _winner(each, values[each.name]),
            "changed": changed.get(each.entry.setting.revision),
            "declared": search.declared.get(each.entry.setting.id),
        }
        for _, each in on_page
    }
    names = {group for group, _ in on_page}
    response = await render(
        request,
        "settings",
        bar=bar,
        groups=[
            Group(group, len(settings), group in closed, [rows[each.name] for each in settings if each.name in rows])
            for group, settings in groups
            if group in names or (group in closed and number == 1)
        ],
        total=total,
        everything=len(view.settings),
        number=number,
        pages=pages,
        meant=_meant(search.words, view.suggestions, bar),
        types=TYPES,
        filters=FILTERS,
        closed=sorted(closed),
        q=query.get("q", ""),
        kind=search.kind,
        has=search.has,
        days=search.days,
        prefix=prefix,
    )
    response.background = BackgroundTask(view.prepare_search)
    return response


def _values(
    catalog: Catalog, changer: Changer, settings: Sequence[Indexed], known: Mapping[str, str]
) -> Mapping[str, Mapping[str, Any]]:
    return {
        each.name: explain(catalog, each.entry, changer.ranked_rules.get(catalog, each.entry), known, Page(10, 0))
        for each in settings
    }


def _winner(indexed: Indexed, explanation: Mapping[str, Any]) -> Mapping[str, str] | None:
    """Return the conditions of the rule that decides the value, or None if no rule does for sure."""
    rule = indexed.entry.rules.get(explanation.get("decided_by", {}).get("rule_id"))
    return None if rule is None else dict(rule.conditions)


def _meant(words: Sequence[str], suggestions: Mapping[str, Sequence[str]], bar: Bar) -> Sequence[Field]:
    """Return the values of context features that somebody searches for who wants to see the values in that context."""
    return [
        Field(field.feature, value, (), field.parameter)
        for field in bar.fields
        for value in suggestions.get(field.feature, ())
        if value.casefold() in words and not field.value
    ]


def _group(name: str, prefix: str) -> str:
    """Return the group of a setting below a prefix: the next part of its name with a dot, or nothing."""
    rest = name.removeprefix(prefix)
    head, dot, _ = rest.partition(".")
    return prefix + head + dot if dot else ""
