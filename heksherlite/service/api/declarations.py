"""``/api/v1/settings/declare``: programs declare their settings."""

from functools import partial
from typing import Any, Literal, Self

from fastapi import APIRouter, Request, Response
from pydantic import Field, model_validator

from heksherlite.service.api.context import Context, ReadableStore, WritableStore, declarations_are_strict
from heksherlite.service.api.responses import EVERY_WRITE, INVALID, json_response, text_responses
from heksherlite.service.api.routes import ServiceRoute, requires
from heksherlite.service.domain import declarations
from heksherlite.service.domain.declarers import DeclarationRights
from heksherlite.service.domain.differences import Shape
from heksherlite.service.domain.json_values import same_json
from heksherlite.service.domain.tokens import Scope
from heksherlite.service.domain.value_schemas import ValueSchema
from heksherlite.service.domain.versions import INITIAL
from heksherlite.service.errors import DeclarationConflictError, DifferencesError
from heksherlite.service.fields import (
    DistinctFeatures,
    Metadata,
    RequestBody,
    ResponseBody,
    SettingName,
    SettingType,
    SettingVersion,
)

router = APIRouter(tags=["settings"], route_class=ServiceRoute)


class DeclarationBody(RequestBody):
    """A declaration of a setting."""

    name: SettingName
    configurable_features: DistinctFeatures
    type: SettingType
    default_value: Any
    metadata: Metadata = Field(default_factory=dict)
    alias: SettingName | None = None
    version: SettingVersion = INITIAL
    json_schema: dict[str, Any] | None = Field(
        None, alias="schema", description="The JSON Schema (2020-12) that values satisfy in addition to the type."
    )

    @model_validator(mode="after")
    def _default_fits(self) -> Self:
        if problem := self.type.problem(self.default_value):
            raise ValueError(f"the default value does not fit type {self.type}: {problem}")
        return self

    @model_validator(mode="after")
    def _alias_is_another_name(self) -> Self:
        if self.alias == self.name:
            raise ValueError("the alias is the same as the name")
        return self


class DifferenceModel(ResponseBody):
    """A difference between a declaration and the stored setting: an attribute with its stored value, or a message."""

    level: Literal["minor", "major", "mismatch"]
    attribute: str | None = None
    latest_value: Any = None
    message: str | None = None


class DeclarationResponse(ResponseBody):
    """The outcome of a declaration."""

    outcome: Literal["created", "uptodate", "upgraded", "outdated"]
    previous_version: str | None = None
    latest_version: str | None = None
    differences: list[DifferenceModel] | None = None


class DeclarationPreview(ResponseBody):
    """What a declaration would do."""

    outcome: Literal["created", "uptodate", "upgraded", "outdated", "mismatch", "rejected"]
    previous_version: str | None = None
    latest_version: str | None = None
    differences: list[DifferenceModel] | None = None


class RejectedDeclaration(ResponseBody):
    """The reason why a declaration was rejected: its differences, or a detail about its alias."""

    outcome: Literal["mismatch", "rejected"] | None = None
    previous_version: str | None = None
    differences: list[DifferenceModel] | None = None
    missing_right: str | None = Field(None, description="Only if it is not the version that keeps it from an upgrade.")
    detail: str | None = None


@router.post(
    "/api/v1/settings/declare",
    response_model=DeclarationResponse,
    responses={
        **text_responses(400, 404),
        409: {"model": RejectedDeclaration, "description": "The declaration conflicts with the stored setting."},
        **EVERY_WRITE,
    },
)
@requires(Scope.DECLARE)
async def declare_setting(body: DeclarationBody, request: Request, store: WritableStore, context: Context) -> Response:
    """Create a setting, upgrade it with a higher version, or compare a declaration to it."""
    rights = DeclarationRights.of_token(request.state.identity.token, strict=declarations_are_strict(context))
    decide = partial(declarations.declare, declaration=_declaration(body), rights=rights)
    outcome = await store.write(decide, is_declaration=True)
    entry = context.store.catalog.find(body.name)
    if entry is not None:
        context.store.last_declared.pending[entry.setting.id] = int(store.now().timestamp())
    return json_response(outcome)


@router.post(
    "/api/v1/declarations/preview",
    response_model=DeclarationPreview,
    responses={**text_responses(400, 404, 408, 413), **INVALID},
)
@requires(Scope.READ)
async def preview_declaration(body: DeclarationBody, store: ReadableStore) -> Response:
    """Return what a declaration would do, by whoever has the right to it. Nothing is stored."""
    catalog = store.catalog
    try:
        decision = declarations.declare(catalog, _declaration(body))
    except DifferencesError as error:
        versions = {} if error.previous_version is None else {"previous_version": error.previous_version}
        return json_response({"outcome": error.outcome, **versions, "differences": error.differences})
    except DeclarationConflictError as error:
        return json_response({"outcome": "rejected", "differences": [{"level": "mismatch", "message": error.message}]})
    catalog.require_within_limit(decision.changes)
    return json_response(decision.result)


def _declaration(body: DeclarationBody) -> declarations.Declaration:
    shape = Shape(
        name=body.name,
        configurable_features=frozenset(body.configurable_features),
        type=body.type,
        default_value=body.default_value,
        metadata=_without_copy(body.metadata, body.json_schema),
        schema=None if body.json_schema is None else ValueSchema(body.json_schema),
    )
    return declarations.Declaration(shape, body.version, body.alias)


def _without_copy(metadata: dict[str, Any], schema: dict[str, Any] | None) -> dict[str, Any]:
    """Return metadata without a copy of the schema, which clients send for services that do not know schemas."""
    if schema is None or not same_json(metadata.get("schema"), schema):
        return metadata
    return {key: value for key, value in metadata.items() if key != "schema"}
