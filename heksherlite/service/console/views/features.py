"""``/console/features``: the context features, their order, and what uses them."""

from collections import Counter
from heapq import nsmallest
from typing import Final

from fastapi import APIRouter, Request, Response

from heksherlite import operations as ops
from heksherlite.service.api.context import Context, ReadableStore
from heksherlite.service.api.routes import requires_operator, requires_person
from heksherlite.service.console.drafting import add_to_draft, checked
from heksherlite.service.console.people import person_of
from heksherlite.service.console.rendering import redirect, render
from heksherlite.service.console.routes import ConsoleRoute
from heksherlite.service.domain.rights import Rights
from heksherlite.service.domain.tokens import Scope
from heksherlite.service.errors import BadRequestError
from heksherlite.service.pages.form import Form, read_form

_MOST_NAMES: Final = 40
"""How many settings are listed that use a context feature."""

router = APIRouter(include_in_schema=False, route_class=ConsoleRoute)


@router.get("/console/features")
@requires_person(Scope.READ)
async def show_features(request: Request, store: ReadableStore) -> Response:
    """Show the context features in their order."""
    catalog = store.catalog
    used: Counter[str] = Counter()
    names: dict[str, list[str]] = {feature: [] for feature in catalog.context_features}
    for entry in catalog.entries.values():
        used.update(entry.setting.configurable_features)
        for feature in entry.setting.configurable_features:
            names[feature].append(entry.setting.name)
    return await render(
        request,
        "features",
        features=catalog.context_features,
        used=used,
        names={feature: nsmallest(_MOST_NAMES, found) for feature, found in names.items()},
    )


@router.post("/console/features")
@requires_operator
async def change_features(request: Request, context: Context) -> Response:
    """Take a change of the context features into the draft."""
    form = await read_form(request)
    operation = checked(_operation(form))
    draft = await context.store.drafts.get(person_of(request).draft_owner)
    preview = await context.changer.preview([*draft.operations, operation], Rights(None, "", ignores_protection=True))
    if reasons := [each.reason for each in preview.outcome.conflicts if each.operation == len(draft.operations)]:
        raise BadRequestError("; ".join(reasons))
    await add_to_draft(request, [operation])
    return redirect(request, "draft")


def _operation(form: Form) -> ops.AnyOperation:
    feature = form.text("feature")
    match form.text("do"):
        case "add":
            return ops.AddContextFeature(context_feature=feature)
        case "delete":
            return ops.DeleteContextFeature(context_feature=feature)
        case "before":
            return ops.MoveContextFeature(context_feature=feature, to_before=form.text("other"))
        case "after":
            return ops.MoveContextFeature(context_feature=feature, to_after=form.text("other"))
    raise BadRequestError("the form says nothing to do")
