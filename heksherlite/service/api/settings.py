"""``/api/v1/settings``: the settings."""

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Body, Query, Request, Response
from pydantic import Field

from heksherlite.service.api.context import ReadableStore, WritableStore
from heksherlite.service.api.history import LastChange, show_header
from heksherlite.service.api.metadata import Editor, MetadataOwner, add_metadata_routes
from heksherlite.service.api.responses import EVERY_WRITE, INVALID, json_response, no_content, text_responses
from heksherlite.service.api.routes import ServiceRoute, requires
from heksherlite.service.api.rules import RuleDetails, rule_details
from heksherlite.service.domain import settings
from heksherlite.service.domain.catalog import Catalog
from heksherlite.service.domain.declarations import MOST_DAYS, is_undeclared
from heksherlite.service.domain.entities import Setting
from heksherlite.service.domain.history import Record
from heksherlite.service.domain.json_values import Metadata
from heksherlite.service.domain.metadata import MetadataEdit
from heksherlite.service.domain.times import show_time
from heksherlite.service.domain.tokens import Scope
from heksherlite.service.fields import (
    DistinctFeatures,
    RequestBody,
    ResponseBody,
    SettingName,
    SettingType,
    SettingVersion,
)
from heksherlite.service.responses.entity_tags import setting_tag
from heksherlite.values.json_schemas import DIALECT, combined

_TAGS = ["settings"]

_MOST_SETTINGS_ON_EVENT_LOOP = 1_000
_MOST_RULES_ON_EVENT_LOOP = 1_000
"""A list of more is built in a thread, so that the event loop answers other requests meanwhile."""

router = APIRouter(prefix="/api/v1/settings", tags=[*_TAGS], route_class=ServiceRoute)


class SettingSummary(ResponseBody):
    """The properties of a setting that every list contains."""

    name: str
    type: str
    default_value: Any
    version: str
    last_declared_at: str | None = Field(
        None, description="Only with `undeclared_for`: when a program last declared it, or null if none did."
    )
    last_change: LastChange | None = Field(
        None, description="Only with `include_last_change`: null if the history does not go back so far."
    )


class SettingDetails(SettingSummary):
    """All properties of a setting."""

    configurable_features: list[str]
    metadata: dict[str, Any]
    aliases: list[str]
    declared_default_value: Any = Field(None, description="Only if an operator set another default value.")
    operator_default_value: Any = Field(None, description="Only if an operator set it. It is the one in force.")
    operator_default_metadata: dict[str, Any] | None = Field(
        None, description="Only if there is any: who manages the operator's default, and more."
    )
    json_schema: dict[str, Any] | None = Field(
        None, alias="schema", description="Only if one was declared: values satisfy it in addition to the type."
    )
    protected: bool | None = Field(None, description="Only if the setting is protected: only proposals change it.")
    client_visible: bool | None = Field(None, description="Only if tokens with only the scope `evaluate` see it.")


class ListedRule(RuleDetails):
    """All properties of a rule, and its id."""

    rule_id: int


class SettingWithRules(SettingDetails):
    """All properties of a setting, and its rules on request, ordered by id."""

    rules: list[ListedRule] | None = None


class SettingList(ResponseBody):
    """The settings, sorted by name, with all properties on request."""

    settings: list[SettingDetails | SettingSummary]


class Conflicts(ResponseBody):
    """The reasons why the type of a setting cannot be changed."""

    conflicts: list[str]


class NewType(RequestBody):
    """A new type of a setting."""

    type: SettingType
    version: SettingVersion


class NewName(RequestBody):
    """A new name of a setting."""

    name: SettingName
    version: SettingVersion


class NewConfigurableFeatures(RequestBody):
    """New configurable features of a setting."""

    configurable_features: DistinctFeatures
    version: SettingVersion


@router.get("", response_model=SettingList, responses={**text_responses(503), **INVALID})
@requires(Scope.READ)
async def list_settings(
    request: Request,
    store: ReadableStore,
    *,
    include_additional_data: Annotated[bool, Query(description="Whether to include all properties.")] = False,
    include_last_change: Annotated[
        bool, Query(description="Whether to include when, by whom and why each setting or its rules last changed.")
    ] = False,
    undeclared_for: Annotated[
        int | None,
        Query(
            ge=0,
            le=MOST_DAYS,
            description="Only settings that no program has declared for so many days. Each has `last_declared_at`.",
        ),
    ] = None,
) -> Response:
    """List all settings, sorted by name."""
    catalog = store.catalog
    declared = None if undeclared_for is None else await store.last_declared.all()
    before = store.now() - timedelta(days=undeclared_for or 0)
    changes: Mapping[int, Record] = {}
    if include_last_change:
        changes = await store.history.headers({entry.setting.revision for entry in catalog.entries.values()})
    complete = request.state.identity.sees_people and not catalog.setting_prefix

    def respond() -> Response:
        shown = [
            {
                **(_details(catalog, entry.setting) if include_additional_data else _summary(entry.setting)),
                **({} if declared is None else {"last_declared_at": _shown(declared.get(entry.setting.id))}),
                **(_last_change(catalog, entry.setting, changes, complete=complete) if include_last_change else {}),
            }
            for entry in sorted(catalog.entries.values(), key=lambda entry: entry.setting.name)
            if declared is None or is_undeclared(declared, entry.setting, before)
        ]
        return json_response({"settings": shown})

    is_large = len(catalog.entries) > _MOST_SETTINGS_ON_EVENT_LOOP
    return await asyncio.to_thread(respond) if is_large else respond()


@router.get("/{name}", response_model=SettingWithRules, responses={**text_responses(404), **INVALID})
@requires(Scope.READ)
async def get_setting(
    name: str,
    store: ReadableStore,
    *,
    include_rules: Annotated[
        bool, Query(description="Whether to include all rules, also those that are scheduled for later or have ended.")
    ] = False,
) -> Response:
    """Return all properties of a setting."""
    catalog = store.catalog
    entry = catalog.entry(name)
    details = _details(catalog, entry.setting)

    def respond() -> Response:
        if include_rules:
            details["rules"] = [
                {"rule_id": rule.id, **rule_details(catalog, rule)}
                for rule in sorted(entry.rules.values(), key=lambda rule: rule.id)
            ]
        return json_response(details, headers={"etag": setting_tag(catalog, name)})

    is_large = include_rules and len(entry.rules) > _MOST_RULES_ON_EVENT_LOOP
    return await asyncio.to_thread(respond) if is_large else respond()


@router.get("/{name}/schema", response_model=dict[str, Any], responses={**text_responses(404), **INVALID})
@requires(Scope.READ)
async def get_schema(name: str, store: ReadableStore) -> Response:
    """Return the whole JSON Schema of the values of a setting: its type, and the schema that was declared."""
    setting = store.catalog.entry(name).setting
    schema = combined(setting.type, None if setting.schema is None else setting.schema.document)
    described = {"$schema": DIALECT, "title": setting.name, "default": setting.default_value}
    return json_response({**described, **schema})


@router.delete("/{name}", status_code=204, responses={**text_responses(404, 412), **EVERY_WRITE})
@requires(Scope.ADMIN)
async def delete_setting(name: str, store: WritableStore) -> Response:
    """Delete a setting and its rules."""
    await store.write(partial(settings.remove, name=name), tag=partial(setting_tag, name=name))
    return no_content()


@router.put(
    "/{name}/type",
    status_code=204,
    responses={
        **text_responses(404, 412),
        409: {
            "description": "The version is not higher (plain text), or the type has conflicts (JSON).",
            "content": {"text/plain": {"schema": {"type": "string"}}},
            "model": Conflicts,
        },
        **EVERY_WRITE,
    },
)
@requires(Scope.ADMIN)
async def change_type(name: str, body: NewType, store: WritableStore) -> Response:
    """Change the type of a setting."""
    await store.write(
        partial(settings.change_type, name=name, new_type=body.type, version=body.version),
        tag=partial(setting_tag, name=name),
    )
    return no_content()


@router.put("/{name}/name", status_code=204, responses={**text_responses(404, 409, 412), **EVERY_WRITE})
@requires(Scope.ADMIN)
async def rename_setting(name: str, body: NewName, store: WritableStore) -> Response:
    """Rename a setting. The previous name becomes an alias."""
    await store.write(
        partial(settings.rename, name=name, new_name=body.name, version=body.version),
        tag=partial(setting_tag, name=name),
    )
    return no_content()


@router.put(
    "/{name}/configurable_features",
    status_code=204,
    responses={**text_responses(404, 409, 412), **EVERY_WRITE},
)
@requires(Scope.ADMIN)
async def change_configurable_features(name: str, body: NewConfigurableFeatures, store: WritableStore) -> Response:
    """Replace the configurable features of a setting."""
    features = frozenset(body.configurable_features)
    await store.write(
        partial(settings.change_configurable_features, name=name, features=features, version=body.version),
        tag=partial(setting_tag, name=name),
    )
    return no_content()


async def _metadata_of(name: str, store: ReadableStore) -> Metadata:
    return store.catalog.entry(name).setting.metadata


async def _metadata_editor(
    name: str, version: Annotated[SettingVersion, Body(embed=True)], store: WritableStore
) -> Editor:
    async def apply(edit: MetadataEdit) -> None:
        await store.write(
            partial(settings.edit_metadata, name=name, edit=edit, version=version), tag=partial(setting_tag, name=name)
        )

    return apply


add_metadata_routes(router, MetadataOwner("/{name}", _metadata_of, _metadata_editor, text_responses(404, 409, 412)))


def _last_change(
    catalog: Catalog, setting: Setting, changes: Mapping[int, Record], *, complete: bool
) -> dict[str, Any]:
    record = changes.get(setting.revision)
    if record is None:
        return {"last_change": None}
    shown = show_header(record, complete=complete)
    # The same write may be about settings beyond the prefix, and so may its reason.
    return {"last_change": {**shown, "reason": None} if catalog.setting_prefix else shown}


def _shown(time: datetime | None) -> str | None:
    return None if time is None else show_time(time)


def _summary(setting: Setting) -> dict[str, Any]:
    return {
        "name": setting.name,
        "type": str(setting.type),
        "default_value": setting.default_value,
        "version": str(setting.version),
    }


def _details(catalog: Catalog, setting: Setting) -> dict[str, Any]:
    return {
        **_summary(setting),
        "configurable_features": catalog.in_order(setting.configurable_features),
        "metadata": setting.metadata,
        "aliases": sorted(setting.aliases),
        **({} if setting.schema is None else {"schema": setting.schema.document}),
        **_of_operators(setting),
    }


def _of_operators(setting: Setting) -> dict[str, Any]:
    """Return what the v1 API does not know, if an operator made use of it."""
    shown: dict[str, Any] = {}
    if setting.has_operator_default:
        shown["declared_default_value"] = setting.declared_default_value
        shown["operator_default_value"] = setting.operator_default_value
    if setting.operator_default_metadata:
        shown["operator_default_metadata"] = setting.operator_default_metadata
    if setting.is_protected:
        shown["protected"] = True
    if setting.is_client_visible:
        shown["client_visible"] = True
    return shown
