"""``/api/v1/context_features``: the names and order of the context features."""

from functools import partial
from typing import Self

from fastapi import APIRouter, Response
from pydantic import BaseModel, model_validator

from heksherlite.service.api.responses import (
    EMPTY_NOT_FOUND,
    EVERY_WRITE,
    INVALID,
    json_answer,
    no_content,
    text_responses,
)
from heksherlite.service.api.routes import ServiceRoute, requires
from heksherlite.service.api.service_state import StoreOfApp
from heksherlite.service.domain import context_features
from heksherlite.service.domain.tokens import Scope
from heksherlite.service.errors import NotFoundError
from heksherlite.service.fields import ContextFeatureName, RequestBody

router = APIRouter(prefix="/api/v1/context_features", tags=["context features"], route_class=ServiceRoute)


class ContextFeatures(BaseModel):
    """All context features, the most general first."""

    context_features: list[str]


class ContextFeatureIndex(BaseModel):
    """The place of a context feature in the order, from 0."""

    index: int


class NewContextFeature(RequestBody):
    """A context feature to add."""

    context_feature: ContextFeatureName


class Move(RequestBody):
    """Where to move a context feature; exactly one of the two is given."""

    to_after: ContextFeatureName | None = None
    to_before: ContextFeatureName | None = None

    @model_validator(mode="after")
    def _one_target(self) -> Self:
        if (self.to_after is None) == (self.to_before is None):
            raise ValueError("exactly one of to_after and to_before is needed")
        return self


@router.get("", response_model=ContextFeatures)
@requires(Scope.READ)
async def list_context_features(store: StoreOfApp) -> Response:
    """List the context features in their order."""
    return json_answer({"context_features": store.catalog.context_features})


@router.get("/{name}", response_model=ContextFeatureIndex, responses={**EMPTY_NOT_FOUND, **INVALID})
@requires(Scope.READ)
async def get_context_feature(name: str, store: StoreOfApp) -> Response:
    """Return the place of a context feature in the order."""
    if name not in store.catalog.context_features:
        raise NotFoundError(f"context feature {name!r} does not exist")
    return json_answer({"index": store.catalog.context_features.index(name)})


@router.post("", status_code=204, responses={**text_responses(409), **EVERY_WRITE})
@requires(Scope.ADMIN, all_settings=True)
async def add_context_feature(body: NewContextFeature, store: StoreOfApp) -> Response:
    """Append a context feature at the end of the order."""
    await store.write(partial(context_features.add, name=body.context_feature))
    return no_content()


@router.delete("/{name}", status_code=204, responses={**EMPTY_NOT_FOUND, **text_responses(409), **EVERY_WRITE})
@requires(Scope.ADMIN, all_settings=True)
async def delete_context_feature(name: str, store: StoreOfApp) -> Response:
    """Delete a context feature that no setting uses."""
    await store.write(partial(context_features.remove, name=name))
    return no_content()


@router.patch("/{name}/index", status_code=204, responses={**EMPTY_NOT_FOUND, **EVERY_WRITE})
@requires(Scope.ADMIN, all_settings=True)
async def move_context_feature(name: str, body: Move, store: StoreOfApp) -> Response:
    """Move a context feature right after or right before another one; rules change their priority at once."""
    await store.write(partial(context_features.move, name=name, after=body.to_after, before=body.to_before))
    return no_content()
