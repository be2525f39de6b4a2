"""``/api/v1/context_features``: the context features and their order."""

from functools import partial
from typing import Self

from fastapi import APIRouter, Response
from pydantic import model_validator

from heksherlite.service.api.context import ReadableStore, WritableStore
from heksherlite.service.api.responses import (
    EMPTY_NOT_FOUND,
    EVERY_WRITE,
    INVALID,
    json_response,
    no_content,
    text_responses,
)
from heksherlite.service.api.routes import ServiceRoute, requires
from heksherlite.service.domain import context_features
from heksherlite.service.domain.tokens import Scope
from heksherlite.service.errors import NotFoundError
from heksherlite.service.fields import ContextFeatureName, RequestBody, ResponseBody

router = APIRouter(prefix="/api/v1/context_features", tags=["context features"], route_class=ServiceRoute)


class ContextFeatures(ResponseBody):
    """All context features, from the most general to the most specific."""

    context_features: list[str]


class ContextFeatureIndex(ResponseBody):
    """The index of a context feature in the order, starting at 0."""

    index: int


class NewContextFeature(RequestBody):
    """A context feature to add."""

    context_feature: ContextFeatureName


class Move(RequestBody):
    """The new place of a context feature: after another one or before another one, of which the latter counts."""

    to_after: ContextFeatureName | None = None
    to_before: ContextFeatureName | None = None

    @model_validator(mode="after")
    def _has_target(self) -> Self:
        if self.to_after is None and self.to_before is None:
            raise ValueError("to_after or to_before is required")
        return self


@router.get("", response_model=ContextFeatures)
@requires(Scope.READ)
async def list_context_features(store: ReadableStore) -> Response:
    """List the context features in order."""
    return json_response({"context_features": store.catalog.context_features})


@router.get("/{name}", response_model=ContextFeatureIndex, responses={**EMPTY_NOT_FOUND, **INVALID})
@requires(Scope.READ)
async def get_context_feature(name: str, store: ReadableStore) -> Response:
    """Return the index of a context feature in the order."""
    if name not in store.catalog.context_features:
        raise NotFoundError(f"context feature {name!r} does not exist")
    return json_response({"index": store.catalog.context_features.index(name)})


@router.post("", status_code=204, responses={**text_responses(409), **EVERY_WRITE})
@requires(Scope.ADMIN, all_settings=True)
async def add_context_feature(body: NewContextFeature, store: WritableStore) -> Response:
    """Append a context feature to the order."""
    await store.write(partial(context_features.add, name=body.context_feature))
    return no_content()


@router.delete("/{name}", status_code=204, responses={**EMPTY_NOT_FOUND, **text_responses(409), **EVERY_WRITE})
@requires(Scope.ADMIN, all_settings=True)
async def delete_context_feature(name: str, store: WritableStore) -> Response:
    """Delete a context feature that no setting uses."""
    await store.write(partial(context_features.remove, name=name))
    return no_content()


@router.patch("/{name}/index", status_code=204, responses={**EMPTY_NOT_FOUND, **EVERY_WRITE})
@requires(Scope.ADMIN, all_settings=True)
async def move_context_feature(name: str, body: Move, store: WritableStore) -> Response:
    """Move a context feature directly after or directly before another one. The priority of rules changes at once."""
    await store.write(partial(context_features.move, name=name, after=body.to_after, before=body.to_before))
    return no_content()
