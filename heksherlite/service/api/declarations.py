"""``/api/v1/settings/declare``: programs say what their settings are."""

from functools import partial
from typing import Any, Literal, Self

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field, model_validator

from heksherlite.service.api.responses import EVERY_WRITE, json_answer, text_responses
from heksherlite.service.api.routes import ServiceRoute, requires
from heksherlite.service.api.service_state import StoreOfApp
from heksherlite.service.domain import declarations
from heksherlite.service.domain.differences import Shape
from heksherlite.service.domain.tokens import Scope
from heksherlite.service.domain.versions import INITIAL
from heksherlite.service.fields import (
    DistinctFeatures,
    Metadata,
    RequestBody,
    SettingName,
    SettingType,
    SettingVersion,
)

router = APIRouter(tags=["settings"], route_class=ServiceRoute)


class DeclarationBody(RequestBody):
    """What a program says a setting is."""

    name: SettingName
    configurable_features: DistinctFeatures
    type: SettingType
    default_value: Any
    metadata: Metadata = Field(default_factory=dict)
    alias: SettingName | None = None
    version: SettingVersion = INITIAL

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


class DifferenceAnswer(BaseModel):
    """One difference: of an attribute, with its stored value, or described by a message."""

    level: Literal["minor", "major", "mismatch"]
    attribute: str | None = None
    latest_value: Any = None
    message: str | None = None


class DeclarationAnswer(BaseModel):
    """What became of a declaration."""

    outcome: Literal["created", "uptodate", "upgraded", "outdated"]
    previous_version: str | None = None
    latest_version: str | None = None
    differences: list[DifferenceAnswer] | None = None


class RejectedDeclaration(BaseModel):
    """Why a declaration changed nothing: by its differences, or by the detail about its alias."""

    outcome: Literal["mismatch", "rejected"] | None = None
    previous_version: str | None = None
    differences: list[DifferenceAnswer] | None = None
    detail: str | None = None


@router.post(
    "/api/v1/settings/declare",
    response_model=DeclarationAnswer,
    responses={
        **text_responses(400, 404),
        409: {"model": RejectedDeclaration, "description": "The declaration contradicts what is stored."},
        **EVERY_WRITE,
    },
)
@requires(Scope.DECLARE)
async def declare_setting(body: DeclarationBody, store: StoreOfApp) -> Response:
    """Create a setting, upgrade it by a higher version, or learn how a declaration compares to it."""
    shape = Shape(
        name=body.name,
        configurable_features=frozenset(body.configurable_features),
        type=body.type,
        default_value=body.default_value,
        metadata=body.metadata,
    )
    declaration = declarations.Declaration(shape, body.version, body.alias)
    return json_answer(await store.write(partial(declarations.declare, declaration=declaration)))
