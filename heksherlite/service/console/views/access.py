"""``/console/access``: tokens, applications, configuration groups and secrets."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

import orjson
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ValidationError

from heksherlite.service.api import applications as application_api
from heksherlite.service.api import groups as group_api
from heksherlite.service.api import signing_key as signing_key_api
from heksherlite.service.api import tokens as token_api
from heksherlite.service.api.administration import Administered
from heksherlite.service.api.change_cause import author_of
from heksherlite.service.api.routes import requires_operator
from heksherlite.service.console.parts import Part, part_of
from heksherlite.service.console.rendering import redirect, render
from heksherlite.service.console.routes import ConsoleRoute
from heksherlite.service.domain.applications import Application
from heksherlite.service.domain.authors import Cause
from heksherlite.service.domain.tokens import Scope, Token
from heksherlite.service.errors import BadRequestError, RequestError
from heksherlite.service.pages.choices import DESCRIPTIONS, POWERFUL
from heksherlite.service.pages.form import Form, read_form
from heksherlite.service.pages.wording import read_json, words_of
from heksherlite.service.storage.tokens import list_tokens

router = APIRouter(include_in_schema=False, route_class=ConsoleRoute)

_LIFETIMES: Final = {"": "never", "1": "in a day", "7": "in a week", "30": "in 30 days", "365": "in a year"}
_OVERLAPS: Final = {"7": "for a week", "1": "for a day", "30": "for 30 days", "0": "not any more"}
_PART_SIZE: Final = 30

_LONGEST_GROUP: Final = 2_000
"""The size of the longest values of a group that are shown without being asked for, in characters."""

_ENTERED: Final = ("name", "identifier", "public_identifier", "redirect_uri", "setting_prefix")
"""What a form shows again if it is refused."""

T = TypeVar("T")

_INVITATION: Final = timedelta(hours=24)

_MOST_WAITING: Final = 10
"""How many applications are listed that wait for an approval."""


@router.get("/console/access")
@requires_operator
async def show_access(request: Request, store: Administered) -> Response:
    """Show who has access."""
    return await _show(request, store)


@router.post("/console/access/tokens")
@requires_operator
async def create_token(request: Request, store: Administered) -> Response:
    """Create a token, and show it once."""
    form = await read_form(request)
    expires_at = _expiry(form, store)
    try:
        body = _validated(
            token_api.NewToken,
            {
                "name": form.text("name"),
                "scopes": list(form.texts("scope")),
                "setting_prefix": form.text("setting_prefix"),
                "expires_at": expires_at,
            },
        )
        response = await token_api.create_token(body, store, _cause(request, form))
    except RequestError as error:
        return await _show(request, store, problem=words_of(error), form=form, status=422)
    return await _show(request, store, made=("Token", orjson.loads(bytes(response.body))["token"]))


@router.post("/console/access/tokens/revoke")
@requires_operator
async def revoke_token(request: Request, store: Administered) -> Response:
    """Revoke a token."""
    form = await read_form(request)
    await token_api.revoke_token(form.text("token"), store, _cause(request, form))
    return redirect(request, "access")


@router.post("/console/access/applications")
@requires_operator
async def invite_application(request: Request, store: Administered) -> Response:
    """Invite an application, and show its one-time token once."""
    form = await read_form(request)
    try:
        body = _validated(
            application_api.Invitation,
            {
                "identifier": form.text("identifier"),
                "approval": {"scopes": list(form.texts("scope")), "setting_prefix": form.text("setting_prefix")},
                "expires_at": int((store.now() + _INVITATION).timestamp()),
            },
        )
        response = await application_api.invite_application(body, store, _cause(request, form))
    except RequestError as error:
        return await _show(request, store, problem=words_of(error), form=form, status=422)
    return await _show(request, store, made=("One-time token", orjson.loads(bytes(response.body))["one_time_token"]))


@router.post("/console/access/applications/register")
@requires_operator
async def register_application(request: Request, store: Administered) -> Response:
    """Register a public application."""
    form = await read_form(request)
    identifier, scopes = form.text("public_identifier"), form.texts("scope")
    try:
        if exposed := [scope for scope in scopes if scope in POWERFUL and not form.text("force")]:
            raise BadRequestError(
                f"every program that claims to be {identifier[:100]!r} would get the scope {exposed[0]}; choose less,"
                " or confirm it below the scopes"
            )
        body = {
            "identifier": identifier,
            "approval": {"scopes": list(scopes), "setting_prefix": form.text("setting_prefix")},
            "redirect_uri": form.text("redirect_uri") or None,
        }
        registration = _validated(application_api.Registration, body)
        await application_api.register_application(registration, store, _cause(request, form))
    except RequestError as error:
        return await _show(request, store, problem=words_of(error), form=form, status=422)
    return redirect(request, "access")


@router.post("/console/access/applications/revoke")
@requires_operator
async def revoke_application(request: Request, store: Administered) -> Response:
    """Revoke an application."""
    form = await read_form(request)
    body = _validated(application_api.ChosenApplications, {"ids": [form.text("application")]})
    await application_api.revoke_applications(body, store, _cause(request, form))
    return redirect(request, "access")


@router.post("/console/access/applications/expire")
@requires_operator
async def expire_application(request: Request, store: Administered) -> Response:
    """Decide when the credentials of an application expire."""
    form = await read_form(request)
    body = {"ids": [form.text("application")], "expires_at": _expiry(form, store)}
    try:
        await application_api.expire_applications(
            _validated(application_api.ChosenForExpiry, body), store, _cause(request, form)
        )
    except RequestError as error:
        return await _show(request, store, problem=words_of(error), status=422)
    return redirect(request, "access")


@router.post("/console/access/applications/rotate")
@requires_operator
async def rotate_credentials(request: Request, store: Administered) -> Response:
    """Replace the credentials of an application, and show the new ones once."""
    form = await read_form(request)
    overlap = form.text("overlap")
    if overlap not in _OVERLAPS:
        raise BadRequestError(f"{overlap[:100]!r} is not one of the overlaps that the form offers")
    body = {
        "id": form.text("application"),
        "previous_until": int((store.now() + timedelta(days=int(overlap))).timestamp()),
        "expires_at": _expiry(form, store),
    }
    try:
        response = await application_api.rotate_credentials(
            _validated(application_api.Rotation, body), store, _cause(request, form)
        )
    except RequestError as error:
        return await _show(request, store, problem=words_of(error), status=422)
    new = {name: value for name, value in orjson.loads(bytes(response.body)).items() if name != "id"}
    shown = orjson.dumps(new, option=orjson.OPT_INDENT_2).decode()
    return await _show(request, store, made=("New credentials", shown))


@router.post("/console/access/applications/groups")
@requires_operator
async def change_groups(request: Request, store: Administered) -> Response:
    """Attach a configuration group to an application, or detach it."""
    form = await read_form(request)
    change = application_api.detach_group if form.text("do") == "detach" else application_api.attach_group
    body = {"ids": [form.text("application")], "group": form.text("group")}
    try:
        await change(_validated(application_api.ChosenForGroup, body), store, _cause(request, form))
    except RequestError as error:
        return await _show(request, store, problem=words_of(error), status=422)
    return redirect(request, "access")


@router.post("/console/access/groups")
@requires_operator
async def put_group(request: Request, store: Administered) -> Response:
    """Store or delete a configuration group."""
    form = await read_form(request)
    name = form.text("name")
    try:
        if form.text("do") == "delete":
            await group_api.delete_group(name, store, _cause(request, form))
        else:
            values = read_json((form.texts("values") or [""])[-1])
            await group_api.put_group(
                name, _validated(group_api.GroupBody, {"values": values}), store, _cause(request, form)
            )
    except RequestError as error:
        return await _show(request, store, problem=words_of(error), form=form, status=422)
    return redirect(request, "access")


@router.post("/console/access/secrets")
@requires_operator
async def put_secret(request: Request, store: Administered) -> Response:
    """Store or delete a secret."""
    form = await read_form(request)
    name = form.text("name")
    try:
        if form.text("do") == "delete":
            await group_api.delete_secret(name, store, _cause(request, form))
        else:
            body = group_api.SecretBody(value=(form.texts("value") or [""])[-1])
            await group_api.put_secret(name, body, store, _cause(request, form))
    except RequestError as error:
        return await _show(request, store, problem=words_of(error), status=422)
    return redirect(request, "access")


@router.post("/console/access/signing-key")
@requires_operator
async def rotate_signing_key(request: Request, store: Administered) -> Response:
    """Replace the key that signs access tokens and device codes."""
    form = await read_form(request)
    body = signing_key_api.Rotation(at_once=form.text("at_once") == "yes")
    await signing_key_api.rotate(body, request, store)
    return await _show(request, store, done="The signing key was replaced.")


def _expiry(form: Form, store: Administered) -> int | None:
    days = form.text("days")
    if days not in _LIFETIMES:
        raise BadRequestError(f"{days[:100]!r} is not one of the lifetimes that the form offers")
    return int((store.now() + timedelta(days=int(days))).timestamp()) if days else None


def _validated(model: type[Any], values: dict[str, Any]) -> Any:
    try:
        body: BaseModel = model.model_validate(values)
    except ValidationError as error:
        raise BadRequestError(words_of(error)) from error
    return body


def _cause(request: Request, form: Form) -> Cause:
    return Cause(author_of(request), form.text("reason")[:1_000].replace("\0", "") or None)


async def _show(
    request: Request,
    store: Administered,
    *,
    made: tuple[str, str] | None = None,
    done: str = "",
    problem: str = "",
    form: Form | None = None,
    status: int = 200,
) -> Response:
    words = request.query_params.get("q", "").casefold().split()

    def found(items: Iterable[T], name: Callable[[T], str], parameter: str) -> Part[T]:
        matching = [each for each in items if all(word in name(each).casefold() for word in words)]
        return part_of(request, matching, size=_PART_SIZE, parameter=parameter)

    tokens = found(await list_tokens(store.access), lambda each: each.name, "tokens")
    applications = found(await store.applications.all(), lambda each: each.identifier, "applications")
    groups = found(await store.groups.all(), lambda each: each.name, "groups")
    secrets = found(await store.groups.secret_names(), str, "secrets")
    return await render(
        request,
        "access",
        status=status,
        made=made,
        done=done,
        problem=problem,
        entered={name: "" if form is None else form.text(name) for name in _ENTERED},
        q=request.query_params.get("q", ""),
        searches=bool(words) or any(each.count > 1 for each in (tokens, applications, groups, secrets)),
        tokens=tokens.shown(_token),
        applications=applications.shown(lambda known: _application(known, store)),
        groups=groups,
        chosen=request.query_params.get("group", ""),
        longest=_LONGEST_GROUP,
        secrets=secrets,
        waiting=[
            {"identifier": each.manifest.identifier, "address": each.address, "requested": _time(each.created_at)}
            for each in await store.device_codes.waiting(store.now().timestamp(), limit=_MOST_WAITING)
        ],
        scopes=list(Scope),
        descriptions=DESCRIPTIONS,
        powerful=POWERFUL,
        lifetimes=_LIFETIMES,
        overlaps=_OVERLAPS,
    )


def _token(known: Token) -> dict[str, Any]:
    return {**known.described(), "created": _time(known.created_at), "expires": _time(known.expires_at)}


def _application(known: Application, store: Administered) -> dict[str, Any]:
    previous = known.previous
    has_previous = previous is not None and previous.expires_at > store.now().timestamp()
    return {
        **known.described(),
        "expires": _time(known.expires_at),
        "previous_expires": _time(previous.expires_at) if previous is not None and has_previous else None,
        "has_credentials": known.digests is not None,
    }


def _time(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
