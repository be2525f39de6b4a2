"""``/.well-known/fakts`` and ``/f/``: how an application gets its configuration.

The protocol is described in ``docs/operators/applications.md``.

What is refused here is answered with status 200 and ``{"status": "error"}``, as existing clients expect it.
"""

import math
import time
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from heksherlite._version import __version__
from heksherlite.service.api.grants_state import GrantsOfApp
from heksherlite.service.api.responses import EVERY_WRITE, json_answer
from heksherlite.service.api.routes import ServiceRoute, public
from heksherlite.service.api.service_state import StoreOfApp
from heksherlite.service.domain.configurations import configuration
from heksherlite.service.domain.credentials import Credentials, application_of
from heksherlite.service.domain.device_codes import LIFETIME, LONGEST_CODE, CodeState, code_digest
from heksherlite.service.domain.history import Author, Cause
from heksherlite.service.domain.manifests import Manifest
from heksherlite.service.errors import ConflictError, InvalidError
from heksherlite.service.fields import RequestBody

router = APIRouter(tags=["grants"], route_class=ServiceRoute)

_LONGEST_TOKEN: Final = 1_000

_STATUSES: Final = {
    CodeState.WAITING: "waiting",
    CodeState.OPENED: "pending",
    CodeState.DENIED: "denied",
    CodeState.USED: "expired",
    CodeState.EXPIRED: "expired",
}

_NOT_STORED: Final = {"cache-control": "no-store"}


class Description(BaseModel):
    """Where an application asks for its configuration."""

    name: str
    base_url: str
    description: str
    version: str
    retrieve_url: str
    claim_url: str


class Refused(BaseModel):
    """Why nothing is granted."""

    status: Literal["error"]
    message: str


class GrantedToken(BaseModel):
    """A token to claim a configuration by."""

    status: Literal["granted"]
    token: str


class GrantedCode(BaseModel):
    """A code that a person decides on, at ``configure/?grant=device_code&device_code=...``."""

    status: Literal["granted"]
    code: str


class GrantedConfiguration(BaseModel):
    """A configuration: groups of values."""

    status: Literal["granted"]
    config: dict[str, dict[str, Any]]


class Undecided(BaseModel):
    """How it stands with a code that grants nothing, or not yet."""

    status: Literal["waiting", "pending", "denied", "expired"]


class ManifestBody(RequestBody):
    """Which application asks."""

    identifier: str
    version: str
    scopes: list[str] = Field(default_factory=list)
    image: str | None = None

    def manifest(self) -> Manifest:
        """Return the manifest.

        Raises:
            InvalidError: It is malformed.
        """
        try:
            return Manifest(
                identifier=self.identifier, version=self.version, scopes=tuple(self.scopes), image=self.image or None
            )
        except ValueError as error:
            raise InvalidError(str(error), location=("body", "manifest")) from error


class Claim(RequestBody):
    """What a configuration is claimed by."""

    token: Annotated[str, Field(max_length=_LONGEST_TOKEN)]


class Retrieval(RequestBody):
    """A public application that asks for its token."""

    manifest: ManifestBody
    redirect_uri: str | None = None


class Redemption(RequestBody):
    """An application that exchanges its one-time token."""

    manifest: ManifestBody
    token: Annotated[str, Field(max_length=_LONGEST_TOKEN)]


class Start(RequestBody):
    """An application that asks for a code."""

    manifest: ManifestBody
    expiration_time: Annotated[
        float | None, Field(gt=0, description=f"For how many seconds the code is to be good, up to {LIFETIME}.")
    ] = None


class Challenge(RequestBody):
    """A code that a person decides on."""

    code: Annotated[str, Field(min_length=1, max_length=LONGEST_CODE)]


@router.get("/.well-known/fakts", response_model=Description)
@public
async def describe_endpoint(request: Request, grants: GrantsOfApp) -> Response:
    """Tell where an application asks for its configuration."""
    base_url = f"{grants.base_url(request)}/f/"
    answer = {
        "name": "heksherlite",
        "base_url": base_url,
        "description": "The configuration of applications, and settings that change while they run",
        "version": __version__,
        "retrieve_url": f"{base_url}retrieve/",
        "claim_url": f"{base_url}claim/",
    }
    return json_answer(answer)


@router.post("/f/claim/", response_model=GrantedConfiguration | Refused, responses=EVERY_WRITE)
@public
async def claim(body: Claim, request: Request, store: StoreOfApp, grants: GrantsOfApp) -> Response:
    """Return the configuration of the application that has a token."""
    application_id = application_of("claim", body.token)
    application = None if application_id is None else await store.applications.get(application_id)
    if application is None or not application.has_claim_token(body.token):
        return _refused("the token is unknown, or was revoked")
    groups, secrets = await store.groups.with_secrets()
    config = configuration(
        application,
        Credentials(application.id, body.token),
        base_url=grants.base_url(request),
        context_features=store.catalog.context_features,
        groups=groups,
        secrets=secrets,
    )
    return _granted(config=config)


@router.post("/f/retrieve/", response_model=GrantedToken | Refused, responses=EVERY_WRITE)
@public
async def retrieve(body: Retrieval, store: StoreOfApp) -> Response:
    """Return the token of an application that is registered as a public one."""
    manifest = body.manifest.manifest()
    application = await store.applications.public(manifest.identifier)
    if application is None:
        return _refused(f"no public application is registered as {manifest.identifier!r}")
    if body.redirect_uri is not None and body.redirect_uri != application.redirect_uri:
        return _refused(f"{manifest.identifier!r} is not registered with this redirect_uri")
    return _granted(token=application.public_token)


@router.post("/f/redeem/", response_model=GrantedToken | Refused, responses=EVERY_WRITE)
@public
async def redeem(body: Redemption, request: Request, store: StoreOfApp) -> Response:
    """Return a token in exchange for a one-time token, which is of no use afterwards."""
    manifest = body.manifest.manifest()
    author = Author("application", manifest.identifier, request.state.identity.address)
    token = await store.applications.redeem(body.token, manifest, Cause(author), time.time())
    if token is None:
        return _refused(f"the one-time token is unknown, used, expired, or not for {manifest.identifier!r}")
    return _granted(token=token)


@router.post("/f/start/", response_model=GrantedCode | Refused, responses=EVERY_WRITE)
@public
async def start(body: Start, request: Request, store: StoreOfApp, grants: GrantsOfApp) -> Response:
    """Return a code that a person decides on."""
    manifest = body.manifest.manifest()
    address = request.state.identity.address
    wait = grants.starts.take(address or "", time.monotonic())
    if wait:
        return _refused("too many codes were asked for from this address", retry_after=wait)
    lifetime = LIFETIME if body.expiration_time is None else math.ceil(min(body.expiration_time, LIFETIME))
    try:
        code = await store.device_codes.start(manifest, address, time.time(), lifetime=lifetime)
    except ConflictError as error:
        return _refused(error.message, retry_after=60)
    return _granted(code=code)


@router.post("/f/challenge/", response_model=GrantedToken | Undecided, responses=EVERY_WRITE)
@public
async def challenge(body: Challenge, request: Request, store: StoreOfApp, grants: GrantsOfApp) -> Response:
    """Return a token if a person has approved, once; otherwise how it stands."""
    address, digest = request.state.identity.address or "", code_digest(body.code)
    now, monotonic = time.time(), time.monotonic()
    wait = grants.failed_codes.retry_after(address, digest, monotonic) or grants.polls.take(digest.hex(), monotonic)
    if wait:
        return _status("waiting", retry_after=wait)
    known = await store.device_codes.find(body.code)
    if known is None:
        grants.failed_codes.record(address, digest, monotonic)
        return _status("waiting")  # a code that the client chose is unknown until a person opens its page
    if known.address != address and grants.failed_codes.exhausted(now - known.created_at, monotonic):
        return _status("waiting")
    state = known.state(now)
    if state is not CodeState.APPROVED:
        return _status(_STATUSES[state])
    token = await store.device_codes.collect(body.code, now)
    return _status("expired") if token is None else _granted(token=token)


def _granted(**members: Any) -> Response:
    return json_answer({"status": "granted", **members}, headers=_NOT_STORED)


def _refused(message: str, *, retry_after: float | None = None) -> Response:
    return json_answer({"status": "error", "message": message}, headers=_headers(retry_after))


def _status(status: str, *, retry_after: float | None = None) -> Response:
    return json_answer({"status": status}, headers=_headers(retry_after))


def _headers(retry_after: float | None) -> dict[str, str]:
    return {**_NOT_STORED} if retry_after is None else {**_NOT_STORED, "retry-after": str(math.ceil(retry_after))}
