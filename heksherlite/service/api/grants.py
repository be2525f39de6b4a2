"""``/.well-known/fakts`` and ``/f/``: the routes by which an application receives its configuration.

The protocol is described in ``docs/operators/applications.md``.

Refused requests get a response with status 200 and ``{"status": "error"}``, as existing clients expect.
"""

import math
import time
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Request, Response
from pydantic import Field

from heksherlite._version import __version__
from heksherlite.service.api.configurations import PATH as STREAM_PATH
from heksherlite.service.api.configurations import UNKNOWN_TOKEN, configured
from heksherlite.service.api.context import Context, ReadableStore
from heksherlite.service.api.proxy_headers import client_network
from heksherlite.service.api.responses import EVERY_WRITE, json_response
from heksherlite.service.api.routes import ServiceRoute, public
from heksherlite.service.domain.audit import Action, AuditEvent
from heksherlite.service.domain.authors import Author, Cause
from heksherlite.service.domain.configurations import claimed
from heksherlite.service.domain.credentials import application_of
from heksherlite.service.domain.device_codes import LIFETIME, LONGEST_CODE, CodeState, code_digest
from heksherlite.service.domain.manifests import Manifest
from heksherlite.service.errors import ConflictError, InvalidError
from heksherlite.service.fields import RequestBody, ResponseBody

router = APIRouter(tags=["grants"], route_class=ServiceRoute)

_MAX_TOKEN_LENGTH: Final = 1_000

_STATUSES: Final = {
    CodeState.WAITING: "waiting",
    CodeState.OPENED: "pending",
    CodeState.DENIED: "denied",
    CodeState.USED: "expired",
    CodeState.EXPIRED: "expired",
}

_NOT_STORED: Final = {"cache-control": "no-store"}


class EndpointDescription(ResponseBody):
    """The URLs at which an application requests its configuration."""

    name: str
    base_url: str
    description: str
    version: str
    retrieve_url: str
    claim_url: str


class ErrorResponse(ResponseBody):
    """The reason why a request was refused."""

    status: Literal["error"]
    message: str


class GrantedToken(ResponseBody):
    """A token with which to claim a configuration."""

    status: Literal["granted"]
    token: str


class GrantedCode(ResponseBody):
    """A code that a person approves or denies at ``configure/?grant=device_code&device_code=...``."""

    status: Literal["granted"]
    code: str
    device_code: str
    """The secret that is required to collect the token (RFC 8628). It must not be displayed."""


class GrantedConfiguration(ResponseBody):
    """A configuration: groups of values."""

    status: Literal["granted"]
    config: dict[str, dict[str, Any]]
    version: str
    """A text that differs if the configuration, or the end of its token, differs."""
    secrets: list[list[str]]
    """The keys that lead to each value that must not be displayed."""
    stream_url: str
    """The URL of the stream that announces new versions."""
    expires_at: Annotated[
        int | None, Field(description="When the token expires, in seconds since the epoch. Left out if it does not.")
    ] = None


class CodeStatus(ResponseBody):
    """The status of a code that grants nothing, or nothing yet."""

    status: Literal["waiting", "pending", "denied", "expired"]


class ManifestBody(RequestBody):
    """The manifest of an application."""

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
    """The token with which an application claims its configuration."""

    token: Annotated[str, Field(max_length=_MAX_TOKEN_LENGTH)]


class Retrieval(RequestBody):
    """A request of a public application for its token."""

    manifest: ManifestBody
    redirect_uri: str | None = None


class Redemption(RequestBody):
    """A request to exchange a one-time token."""

    manifest: ManifestBody
    token: Annotated[str, Field(max_length=_MAX_TOKEN_LENGTH)]


class Start(RequestBody):
    """A request for a new code."""

    manifest: ManifestBody
    expiration_time: Annotated[
        float | None, Field(gt=0, description=f"The lifetime of the code in seconds, at most {LIFETIME}.")
    ] = None


class Challenge(RequestBody):
    """A poll for the outcome of a code."""

    code: Annotated[str, Field(min_length=1, max_length=LONGEST_CODE)]
    device_code: Annotated[
        str | None,
        Field(
            max_length=_MAX_TOKEN_LENGTH,
            description="The secret from `start`. Without it, only the address that requested the code may collect.",
        ),
    ] = None


@router.get("/.well-known/fakts", response_model=EndpointDescription)
@public
async def describe_endpoint(request: Request, context: Context) -> Response:
    """Return the URLs at which an application requests its configuration."""
    base_url = f"{context.base_url(request)}/f/"
    description = {
        "name": context.options.name,
        "base_url": base_url,
        "description": "Configurations of applications, and settings that change while they run",
        "version": __version__,
        "retrieve_url": f"{base_url}retrieve/",
        "claim_url": f"{base_url}claim/",
    }
    return json_response(description)


@router.post("/f/claim/", response_model=GrantedConfiguration | ErrorResponse, responses=EVERY_WRITE)
@router.post("/f/claim", include_in_schema=False)
@public
async def claim(body: Claim, request: Request, context: Context) -> Response:
    """Return the configuration of the application that has the token."""
    base_url = context.base_url(request)
    found = configured(await context.store.access.read(), body.token, base_url, context)
    if found is None:
        context.audit.record_denial(
            request, Action.CLAIM_CONFIGURATION, UNKNOWN_TOKEN, claimed_id=application_of("claim", body.token)
        )
        return _error(UNKNOWN_TOKEN)
    application = found.application
    context.store.access.token_uses.used.add(application.token_prefix)
    await context.audit.record(
        AuditEvent(
            action=Action.CLAIM_CONFIGURATION,
            actor=Author("application", application.identifier, request.state.identity.address, application.id),
            subject=application.id,
            details={
                **claimed(application, found.groups),
                "with_previous_credentials": found.with_previous_credentials,
            },
        )
    )
    expiry = {} if application.expires_at is None else {"expires_at": application.expires_at}
    stream_url = f"{base_url}{STREAM_PATH}"
    return _granted(config=found.config, **expiry, version=found.version, secrets=found.secrets, stream_url=stream_url)


@router.post("/f/retrieve/", response_model=GrantedToken | ErrorResponse, responses=EVERY_WRITE)
@router.post("/f/retrieve", include_in_schema=False)
@public
async def retrieve(body: Retrieval, request: Request, store: ReadableStore, context: Context) -> Response:
    """Return the token of a registered public application."""
    manifest = body.manifest.manifest()
    application = await store.applications.public(manifest.identifier)
    if application is None:
        reason = f"no public application is registered as {manifest.identifier!r}"
        context.audit.record_denial(request, Action.CLAIM_CONFIGURATION, reason)
        return _error(reason)
    if application.expired(store.now().timestamp()):
        reason = f"the registration of {manifest.identifier!r} has expired"
        context.audit.record_denial(request, Action.CLAIM_CONFIGURATION, reason, claimed_id=application.id)
        return _error(reason)
    if body.redirect_uri is not None and body.redirect_uri != application.redirect_uri:
        reason = f"{manifest.identifier!r} is not registered with this redirect_uri"
        context.audit.record_denial(request, Action.CLAIM_CONFIGURATION, reason, claimed_id=application.id)
        return _error(reason)
    return _granted(token=application.public_token)


@router.post("/f/redeem/", response_model=GrantedToken | ErrorResponse, responses=EVERY_WRITE)
@router.post("/f/redeem", include_in_schema=False)
@public
async def redeem(body: Redemption, request: Request, store: ReadableStore, context: Context) -> Response:
    """Exchange a one-time token, which then becomes invalid, for a token."""
    manifest = body.manifest.manifest()
    address, application_id = request.state.identity.address, application_of("invite", body.token)
    author = Author("application", manifest.identifier, address, application_id)
    token = await store.applications.redeem(body.token, manifest, Cause(author), store.now().timestamp())
    if token is None:
        reason = f"the one-time token is unknown, used, expired, or not for {manifest.identifier!r}"
        context.audit.record_denial(request, Action.ACTIVATE_APPLICATION, reason, claimed_id=application_id)
        return _error(reason)
    return _granted(token=token)


@router.post("/f/start/", response_model=GrantedCode | ErrorResponse, responses=EVERY_WRITE)
@router.post("/f/start", include_in_schema=False)
@public
async def start(body: Start, request: Request, store: ReadableStore, context: Context) -> Response:
    """Return a new code that a person approves or denies."""
    manifest = body.manifest.manifest()
    address = request.state.identity.address
    wait = context.grant_limits.starts.take(client_network(address or ""), time.monotonic())
    if wait:
        return _error("too many codes were requested from this address", retry_after=wait)
    lifetime = LIFETIME if body.expiration_time is None else math.ceil(min(body.expiration_time, LIFETIME))
    now = store.now().timestamp()
    try:
        code = await store.device_codes.start(manifest, address, now, lifetime=lifetime)
    except ConflictError as error:
        return _error(error.message, retry_after=60)
    device_code = context.device_codes.secret_of(code_digest(code), int(now))
    return _granted(code=code, device_code=device_code)


@router.post("/f/challenge/", response_model=GrantedToken | CodeStatus, responses=EVERY_WRITE)
@router.post("/f/challenge", include_in_schema=False)
@public
async def challenge(body: Challenge, request: Request, store: ReadableStore, context: Context) -> Response:
    """Return a token, once, if a person has approved the code, or else the status of the code."""
    address, digest = request.state.identity.address or "", code_digest(body.code)
    network, now, monotonic = client_network(address), store.now().timestamp(), time.monotonic()
    known = await store.device_codes.find(body.code)
    if known is None or not context.device_codes.may_collect(
        known, body.device_code, address, age=now - known.created_at, now=monotonic
    ):
        # A code that the client chose is unknown until a person decides on it.
        limits = context.grant_limits
        # By network: whoever polls somebody else's code must not keep the right program waiting.
        wait = limits.failed_polls.retry_after(network, digest, monotonic)
        wait = wait or limits.polls.take(f"{network} {digest.hex()}", monotonic)
        if not wait:
            context.audit.record_denial(
                request, Action.ACTIVATE_APPLICATION, "the device code is unknown, or its secret is missing"
            )
            limits.failed_polls.record(network, digest, monotonic)
        return _status("waiting", retry_after=wait or None)
    wait = context.grant_limits.polls.take(digest.hex(), monotonic)
    if wait:
        return _status("waiting", retry_after=wait)
    state = known.state(now)
    if state is not CodeState.APPROVED:
        return _status(_STATUSES[state])
    author = Author("application", known.manifest.identifier, address, known.application_id)
    token = await store.device_codes.collect(body.code, Cause(author), now)
    return _status("expired") if token is None else _granted(token=token)


def _granted(**members: Any) -> Response:
    return json_response({"status": "granted", **members}, headers=_NOT_STORED)


def _error(message: str, *, retry_after: float | None = None) -> Response:
    return json_response({"status": "error", "message": message}, headers=_headers(retry_after))


def _status(status: str, *, retry_after: float | None = None) -> Response:
    return json_response({"status": status}, headers=_headers(retry_after))


def _headers(retry_after: float | None) -> dict[str, str]:
    return {**_NOT_STORED} if retry_after is None else {**_NOT_STORED, "retry-after": str(math.ceil(retry_after))}
