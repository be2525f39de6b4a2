"""``/api/v1/rules``: the values of settings in specific contexts."""

from datetime import datetime
from functools import partial
from typing import Annotated, Any, Self

from fastapi import APIRouter, Query, Response
from pydantic import Field, model_validator

from heksherlite.service.api.context import ReadableStore, WritableStore
from heksherlite.service.api.metadata import Editor, MetadataOwner, add_metadata_routes
from heksherlite.service.api.responses import (
    EMPTY_NOT_FOUND,
    EVERY_WRITE,
    INVALID,
    json_response,
    no_content,
    text_responses,
)
from heksherlite.service.api.routes import ServiceRoute, requires
from heksherlite.service.domain import rules
from heksherlite.service.domain.catalog import Catalog
from heksherlite.service.domain.entities import Rule
from heksherlite.service.domain.filters import parse_feature_values
from heksherlite.service.domain.json_values import Metadata
from heksherlite.service.domain.metadata import MetadataEdit
from heksherlite.service.domain.schedule import Phase, Schedule, schedule_of
from heksherlite.service.domain.snapshots import of_schedule
from heksherlite.service.domain.tokens import Scope
from heksherlite.service.fields import (
    ContextFeatureName,
    ContextFeatureValue,
    RequestBody,
    ResponseBody,
    SettingName,
    Time,
)
from heksherlite.service.fields import Metadata as MetadataField
from heksherlite.service.responses.entity_tags import rule_tag

_TAGS = ["rules"]

router = APIRouter(prefix="/api/v1/rules", tags=[*_TAGS], route_class=ServiceRoute)


class ScheduleFields(RequestBody):
    """The period in which a rule is active. A rule without both times is always active."""

    starts_at: Time | None = None
    ends_at: Time | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.starts_at is not None and self.ends_at is not None and self.starts_at >= self.ends_at:
            raise ValueError("ends_at must be after starts_at")
        return self

    def schedule(self, now: datetime) -> Schedule | None:
        """Return the schedule of a rule that is created or changed now."""
        return schedule_of(self.starts_at, self.ends_at, now)


class NewRule(ScheduleFields):
    """A new rule: the value of a setting where each context feature has the given value."""

    setting: SettingName
    feature_values: Annotated[dict[ContextFeatureName, ContextFeatureValue], Field(min_length=1)]
    value: Any
    metadata: MetadataField = Field(default_factory=dict)


class NewValue(RequestBody):
    """A new value of a rule."""

    value: Any


class RuleId(ResponseBody):
    """The id of a rule."""

    rule_id: int


class RuleDetails(ResponseBody):
    """All properties of a rule, with its conditions in the order of the context features.

    Only a rule with ``starts_at`` or ``ends_at`` has the last three fields. Clients receive it in phase ``active``.
    """

    setting: str
    value: Any
    feature_values: list[tuple[str, str]]
    metadata: dict[str, Any]
    starts_at: str | None = None
    ends_at: str | None = None
    phase: Phase | None = None


@router.post(
    "",
    status_code=201,
    response_model=RuleId,
    responses={**text_responses(400, 409), **EVERY_WRITE},
)
@requires(Scope.WRITE)
async def add_rule(body: NewRule, store: WritableStore) -> Response:
    """Add a rule to a setting."""
    rule_id = await store.write(
        partial(
            rules.add,
            setting_name=body.setting,
            feature_values=body.feature_values,
            value=body.value,
            metadata=body.metadata,
            schedule=body.schedule(store.now()),
        )
    )
    return json_response({"rule_id": rule_id}, 201, {"location": f"/{rule_id}"})


@router.get("/search", response_model=RuleId, responses={**EMPTY_NOT_FOUND, **INVALID})
@requires(Scope.READ)
async def search_rule(
    setting: Annotated[SettingName, Query()],
    feature_values: Annotated[str, Query(description="The conditions: `f1:v1,f2:v2`.")],
    store: ReadableStore,
) -> Response:
    """Find the rule of a setting with exactly these conditions."""
    rule_id = rules.search(store.catalog, setting, parse_feature_values(feature_values))
    return json_response({"rule_id": rule_id})


@router.get("/{rule_id}", response_model=RuleDetails, responses={**text_responses(404), **INVALID})
@requires(Scope.READ)
async def get_rule(rule_id: int, store: ReadableStore) -> Response:
    """Return all properties of a rule."""
    catalog = store.catalog
    rule = catalog.rule(rule_id)
    return json_response(rule_details(catalog, rule), headers={"etag": rule_tag(catalog, rule_id)})


@router.put("/{rule_id}/value", status_code=204, responses={**text_responses(400, 404, 412), **EVERY_WRITE})
@router.patch(
    "/{rule_id}",
    status_code=204,
    responses={**text_responses(400, 404, 412), **EVERY_WRITE},
    deprecated=True,
    operation_id="patch_rule",
)
@requires(Scope.WRITE)
async def change_value(rule_id: int, body: NewValue, store: WritableStore) -> Response:
    """Change the value of a rule."""
    await store.write(
        partial(rules.change_value, rule_id=rule_id, value=body.value), tag=partial(rule_tag, rule_id=rule_id)
    )
    return no_content()


@router.put("/{rule_id}/schedule", status_code=204, responses={**text_responses(400, 404, 412), **EVERY_WRITE})
@requires(Scope.WRITE)
async def change_schedule(rule_id: int, body: ScheduleFields, store: WritableStore) -> Response:
    """Change the period in which a rule is active."""
    schedule = body.schedule(store.now())
    await store.write(
        partial(rules.reschedule, rule_id=rule_id, schedule=schedule), tag=partial(rule_tag, rule_id=rule_id)
    )
    return no_content()


@router.delete("/{rule_id}", status_code=204, responses={**text_responses(404, 412), **EVERY_WRITE})
@requires(Scope.WRITE)
async def delete_rule(rule_id: int, store: WritableStore) -> Response:
    """Delete a rule. Its id is never used again."""
    await store.write(partial(rules.remove, rule_id=rule_id), tag=partial(rule_tag, rule_id=rule_id))
    return no_content()


async def _metadata_of(rule_id: int, store: ReadableStore) -> Metadata:
    return store.catalog.rule(rule_id).metadata


async def _metadata_editor(rule_id: int, store: WritableStore) -> Editor:
    async def apply(edit: MetadataEdit) -> None:
        await store.write(
            partial(rules.edit_metadata, rule_id=rule_id, edit=edit), tag=partial(rule_tag, rule_id=rule_id)
        )

    return apply


add_metadata_routes(router, MetadataOwner("/{rule_id}", _metadata_of, _metadata_editor, text_responses(404, 412)))


def rule_details(catalog: Catalog, rule: Rule) -> dict[str, Any]:
    """Return all properties of a rule, as `RuleDetails` describes them."""
    return {
        "setting": catalog.entries[rule.setting_id].setting.name,
        "value": rule.value,
        "feature_values": sorted(rule.conditions, key=catalog.condition_order()),
        "metadata": rule.metadata,
        **({} if rule.schedule is None else of_schedule(rule.schedule)),
    }
