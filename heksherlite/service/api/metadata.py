"""The six routes for metadata, which settings and rules share."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeAlias

from fastapi import APIRouter, Body, Depends, Request, Response
from fastapi.exceptions import RequestValidationError

from heksherlite.service.api.bodies import StrictJsonRequest
from heksherlite.service.api.responses import (
    EVERY_WRITE,
    INVALID,
    Responses,
    json_response,
    no_content,
    text_responses,
)
from heksherlite.service.api.routes import requires
from heksherlite.service.domain import json_values
from heksherlite.service.domain import metadata as edits
from heksherlite.service.domain.metadata import MetadataEdit
from heksherlite.service.domain.tokens import Scope
from heksherlite.service.fields import Metadata, MetadataKey, ResponseBody

Editor: TypeAlias = Callable[[MetadataEdit], Awaitable[None]]
"""Edits the metadata of the setting or rule of a request."""

NewMetadata: TypeAlias = Annotated[Metadata, Body(embed=True, default_factory=dict)]

_BODY_REQUIRED: Final = {"requestBody": {"required": True}}


class MetadataResponse(ResponseBody):
    """The metadata of a setting or rule."""

    metadata: dict[str, Any]


@dataclass(frozen=True, slots=True)
class MetadataOwner:
    """The kind of owner of metadata, and the dependencies that read and edit its metadata.

    Args:
        path: The path of the owner.
        read: A dependency that returns the metadata.
        editor: A dependency that returns the editor of the metadata.
        error_responses: The error responses of an edit, in addition to those of every write.
    """

    path: str
    read: Callable[..., Awaitable[json_values.Metadata]]
    editor: Callable[..., Awaitable[Editor]]
    error_responses: Responses


def _require_body(request: Request) -> None:
    # FastAPI takes a body of which each field has a default as optional, and ignores one of another content type: a
    # replacement would clear all metadata.
    if not (isinstance(request, StrictJsonRequest) and request.is_decoded):
        raise RequestValidationError([{"type": "missing", "loc": ("body",), "msg": "Field required", "input": None}])


def add_metadata_routes(router: APIRouter, owner: MetadataOwner) -> None:
    """Add the routes for the metadata of one kind of owner to those of the owner."""
    path = f"{owner.path}/metadata"
    options: dict[str, Any] = {"status_code": 204, "responses": {**owner.error_responses, **EVERY_WRITE}}
    with_body: dict[str, Any] = {**options, "dependencies": [Depends(_require_body)], "openapi_extra": _BODY_REQUIRED}

    @router.get(path, response_model=MetadataResponse, responses={**text_responses(404), **INVALID})
    @requires(Scope.READ)
    async def get_metadata(metadata: Annotated[json_values.Metadata, Depends(owner.read)]) -> Response:
        """Return the metadata."""
        return json_response({"metadata": metadata})

    @router.post(path, **with_body)
    @requires(Scope.WRITE)
    async def update_metadata(edit: Annotated[Editor, Depends(owner.editor)], metadata: NewMetadata) -> Response:
        """Set the given keys and keep all others."""
        await edit(edits.merging(metadata))
        return no_content()

    @router.put(path, **with_body)
    @requires(Scope.WRITE)
    async def replace_metadata(edit: Annotated[Editor, Depends(owner.editor)], metadata: NewMetadata) -> Response:
        """Replace all metadata."""
        await edit(edits.replacing(metadata))
        return no_content()

    @router.delete(path, **options)
    @requires(Scope.WRITE)
    async def delete_metadata(edit: Annotated[Editor, Depends(owner.editor)]) -> Response:
        """Clear the metadata."""
        await edit(edits.replacing({}))
        return no_content()

    @router.put(f"{path}/{{key}}", **options)
    @requires(Scope.WRITE)
    async def set_metadata_key(
        key: MetadataKey, edit: Annotated[Editor, Depends(owner.editor)], value: Annotated[Any, Body(embed=True)]
    ) -> Response:
        """Set one key."""
        await edit(edits.with_key(key, value))
        return no_content()

    @router.delete(f"{path}/{{key}}", **options)
    @requires(Scope.WRITE)
    async def delete_metadata_key(key: MetadataKey, edit: Annotated[Editor, Depends(owner.editor)]) -> Response:
        """Remove one key if it exists."""
        await edit(edits.without_key(key))
        return no_content()
