"""``/api/v1/explain``: why settings have their values in a context."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import ConfigDict

from heksherlite.service.api.context import Context, ReadableStore
from heksherlite.service.api.responses import INVALID, json_response, text_responses
from heksherlite.service.api.routes import ServiceRoute, requires
from heksherlite.service.changing import Changer
from heksherlite.service.domain.catalog import Catalog
from heksherlite.service.domain.entities import Entry
from heksherlite.service.domain.explanations import Page, explain
from heksherlite.service.domain.filters import parse_feature_values, parse_moment, parse_setting_names
from heksherlite.service.domain.json_values import same_json
from heksherlite.service.domain.query import entries_of
from heksherlite.service.domain.ranked_rules import ranked_rules
from heksherlite.service.domain.tokens import Scope
from heksherlite.service.errors import InvalidError
from heksherlite.service.fields import ResponseBody

router = APIRouter(tags=["changes"], route_class=ServiceRoute)

_MOST_SETTINGS = 1_000


class Explanation(ResponseBody):
    """Why a setting has its value, or which values it may have."""

    model_config = ConfigDict(extra="allow")

    setting: str
    missing: list[str]
    rules: list[dict[str, Any]]


class Explanations(ResponseBody):
    """The explanations of the settings, by name."""

    model_config = ConfigDict(extra="allow")

    revision: int
    context_features: list[str]
    explanations: list[Explanation]


@router.get("/api/v1/explain", response_model=Explanations, responses={**text_responses(400, 404, 503), **INVALID})
@requires(Scope.READ)
async def explain_settings(
    store: ReadableStore,
    context: Context,
    *,
    settings: Annotated[str | None, Query(description="Names, separated by commas. All settings if absent.")] = None,
    feature_values: Annotated[
        str, Query(alias="context", description="The context: `f1:v1,f2:v2`. Features that are left out are unknown.")
    ] = "",
    at: Annotated[
        str | None, Query(description="A revision, or a time such as 2030-01-31T12:00:00Z, as of which to explain.")
    ] = None,
    and_at: Annotated[str | None, Query(description="A second revision or time, to compare with.")] = None,
    limit: Annotated[int, Query(ge=1, le=1_000, description="At most how many rules of each setting to list.")] = 100,
    offset: Annotated[
        int | None,
        Query(ge=0, le=2**32, description="How many rules to skip. If absent, so many that the winner is listed."),
    ] = None,
) -> Response:
    """Explain the values of settings in a context, now or earlier, or what differs between two times."""
    names = None if settings is None else parse_setting_names(settings)
    known = parse_feature_values(feature_values, parameter="context") if feature_values else {}
    page = Page(limit, offset)
    first = await explained(store, context.changer, at, names, known, page)
    if and_at is None:
        return json_response(first)
    second = await explained(store, context.changer, and_at, names, known, page)
    return json_response({**first, "and_at": second, "differs": differing(first, second)})


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the settings, by name.

    Attributes:
        after: The name after which it begins. Empty: with the first one.
        most: How many settings it has at most.
    """

    after: str
    most: int


async def explained(
    store: ReadableStore,
    changer: Changer,
    at: str | None,
    names: Sequence[str] | None,
    known: Mapping[str, str],
    page: Page,
    part: Part | None = None,
) -> dict[str, Any]:
    """Return the explanations of settings in a context, as the API shows them.

    Args:
        store: The store.
        changer: Ranks the rules.
        at: The revision or the time as of which to explain; None for now.
        names: The names of the settings; None for all.
        known: The values of the context features that are known.
        page: Which rules of each setting to list.
        part: Which of the settings to explain; None for all.

    Raises:
        RequestError: The moment, a setting or a context feature is unknown, or there are too many settings.
    """
    catalog = store.catalog if at is None else await store.at(parse_moment(at, now=store.now()))
    for feature in known:
        if feature not in catalog.context_features:
            features = ", ".join(catalog.context_features) or "none"
            when = "the service has" if at is None else "then, the service had"
            raise InvalidError(
                f"{feature!r} is not a context feature; {when} {features}", location=("query", "context")
            )
    entries = entries_of(catalog, names)
    if part is not None:
        entries = [entry for entry in entries if entry.setting.name > part.after][: part.most]
    if names is None and len(entries) > _MOST_SETTINGS:
        raise InvalidError(
            f"there are {len(entries)} settings, and at most {_MOST_SETTINGS} are explained at once; name some",
            location=("query", "settings"),
        )
    is_past = catalog is not store.catalog

    def explain_all() -> list[dict[str, Any]]:
        return [_explain(catalog, entry, changer, known, page, is_past=is_past) for entry in entries]

    return {
        "revision": catalog.counters.revision,
        "context_features": list(catalog.context_features),
        "explanations": await changer.computed(explain_all),
    }


def _explain(
    catalog: Catalog, entry: Entry, changer: Changer, known: Mapping[str, str], page: Page, *, is_past: bool
) -> dict[str, Any]:
    # The entries of the past are made anew for each look back, so there is no use in keeping their rules.
    rules = ranked_rules(catalog, entry) if is_past else changer.ranked_rules.get(catalog, entry)
    return explain(catalog, entry, rules, known, page)


def differing(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[str]:
    """Return the settings whose value, or whose possible values, are not the same in both."""
    before = {each["setting"]: each for each in first["explanations"]}
    after = {each["setting"]: each for each in second["explanations"]}
    return sorted(
        name
        for name in before.keys() | after.keys()
        if not same_json(_values(before.get(name)), _values(after.get(name)))
    )


def _values(explanation: Mapping[str, Any] | None) -> Any:
    if explanation is None:
        return None
    if "value" in explanation:
        return [explanation["value"]]
    shown = ("where", "except", "value")
    return [{name: region[name] for name in shown} for region in explanation["regions"]]
