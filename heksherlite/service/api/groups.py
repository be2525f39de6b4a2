"""``/api/v1/groups`` and ``/api/v1/secrets``: the configuration groups of applications, and the secrets in them."""

from typing import Any

from fastapi import APIRouter, Response

from heksherlite.service.api.administration import ADMINISTRATION, Administered, refusals
from heksherlite.service.api.change_cause import ChangeCause
from heksherlite.service.api.responses import json_response, no_content
from heksherlite.service.api.routes import ServiceRoute, requires
from heksherlite.service.domain.groups import Group
from heksherlite.service.domain.tokens import Scope
from heksherlite.service.fields import RequestBody, ResponseBody

router = APIRouter(prefix="/api/v1", tags=["groups"], route_class=ServiceRoute)


class GroupList(ResponseBody):
    """The groups by name, with references in the place of secrets."""

    groups: dict[str, dict[str, Any]]


class GroupBody(RequestBody):
    """The values of a group. ``{"$secret": "name"}`` stands for a secret."""

    values: dict[str, Any]


class SecretNames(ResponseBody):
    """The names of all secrets."""

    secrets: list[str]


class SecretBody(RequestBody):
    """The value of a secret."""

    value: str


@router.get("/groups", response_model=GroupList)
@requires(Scope.ADMIN, all_settings=True)
async def get_groups(store: Administered) -> Response:
    """Return the groups, without secrets."""
    return json_response({"groups": {group.name: group.values for group in await store.groups.all()}})


@router.put("/groups/{name}", status_code=204, responses=ADMINISTRATION)
@requires(Scope.ADMIN, all_settings=True)
async def put_group(name: str, body: GroupBody, store: Administered, cause: ChangeCause) -> Response:
    """Store a group in place of the one with the same name."""
    with refusals():
        group = Group(name, body.values)
    await store.groups.put(group, cause)
    return no_content()


@router.delete("/groups/{name}", status_code=204, responses=ADMINISTRATION)
@requires(Scope.ADMIN, all_settings=True)
async def delete_group(name: str, store: Administered, cause: ChangeCause) -> Response:
    """Delete a group that is attached to no application."""
    await store.groups.remove(name, cause)
    return no_content()


@router.get("/secrets", response_model=SecretNames)
@requires(Scope.ADMIN, all_settings=True)
async def get_secrets(store: Administered) -> Response:
    """List the names of the secrets."""
    return json_response({"secrets": await store.groups.secret_names()})


@router.put("/secrets/{name}", status_code=204, responses=ADMINISTRATION)
@requires(Scope.ADMIN, all_settings=True)
async def put_secret(name: str, body: SecretBody, store: Administered, cause: ChangeCause) -> Response:
    """Store a secret in place of the one with the same name."""
    with refusals():
        await store.groups.put_secret(name, body.value, cause)
    return no_content()


@router.delete("/secrets/{name}", status_code=204, responses=ADMINISTRATION)
@requires(Scope.ADMIN, all_settings=True)
async def delete_secret(name: str, store: Administered, cause: ChangeCause) -> Response:
    """Delete a secret to which no group refers."""
    await store.groups.remove_secret(name, cause)
    return no_content()
