"""``/api/v1/settings/{name}/declarers``: who may upgrade a setting by declaring it."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Path, Response
from pydantic import Field

from heksherlite.service.api.context import Context, ReadableStore, WritableStore, declarations_are_strict
from heksherlite.service.api.responses import EVERY_WRITE, json_response, no_content, text_responses
from heksherlite.service.api.routes import ServiceRoute, requires
from heksherlite.service.domain import settings
from heksherlite.service.domain.declarers import Declarer, DeclarerKind, declarer_name
from heksherlite.service.domain.tokens import Scope
from heksherlite.service.errors import NotFoundError
from heksherlite.service.fields import RequestBody, ResponseBody
from heksherlite.service.responses.entity_tags import setting_tag

router = APIRouter(prefix="/api/v1/settings/{name}/declarers", tags=["settings"], route_class=ServiceRoute)

_MAX_LENGTH = 100


class DeclarerModel(ResponseBody):
    """An application or a token. The name is null if it was revoked."""

    kind: DeclarerKind
    id: str
    name: str | None


class DeclarerList(ResponseBody):
    """Who may upgrade a setting by declaring it, beside tokens with a setting prefix, ``write`` or ``admin``."""

    declarers: list[DeclarerModel]
    strict: bool = Field(description="Whether the service checks this.")


class DeclarerBody(RequestBody):
    """A declarer."""

    kind: DeclarerKind
    id: Annotated[str, Field(min_length=1, max_length=_MAX_LENGTH, pattern=r"^[^\x00]*$")]


@router.get("", response_model=DeclarerList, responses=text_responses(404, 503))
@requires(Scope.ADMIN)
async def list_declarers(name: str, store: ReadableStore, context: Context) -> Response:
    """List the declarers of a setting: the one that declared it first, and those that operators added."""
    declarers, tokens = store.catalog.entry(name).setting.declarers, context.store.tokens.values()
    shown = [{**each.as_json(), "name": declarer_name(each, tokens)} for each in sorted(declarers)]
    return json_response({"declarers": shown, "strict": declarations_are_strict(context)})


@router.post("", status_code=204, responses={**text_responses(404), **EVERY_WRITE})
@requires(Scope.ADMIN)
async def add_declarer(name: str, body: DeclarerBody, store: WritableStore, context: Context) -> Response:
    """Add a declarer to a setting."""
    declarer = Declarer(body.kind, body.id)
    store.catalog.entry(name)
    if declarer_name(declarer, context.store.tokens.values()) is None:
        raise NotFoundError(f"there is no {declarer.kind} with the id {declarer.id!r}")
    decide = partial(settings.add_declarer, name=name, declarer=declarer)
    await store.write(decide, tag=partial(setting_tag, name=name))
    return no_content()


@router.delete("/{kind}/{declarer_id}", status_code=204, responses={**text_responses(404), **EVERY_WRITE})
@requires(Scope.ADMIN)
async def remove_declarer(
    name: str,
    kind: DeclarerKind,
    declarer_id: Annotated[str, Path(max_length=_MAX_LENGTH)],
    store: WritableStore,
) -> Response:
    """Remove a declarer from a setting."""
    decide = partial(settings.remove_declarer, name=name, declarer=Declarer(kind, declarer_id))
    await store.write(decide, tag=partial(setting_tag, name=name))
    return no_content()
