"""``/f/oidc/``: people log in at an OpenID Connect identity provider.

The service stores nothing between the two requests. The ``state`` is signed with the secret in the cookie of the
browser, so a login ends in the browser in which it began. The nonce and the PKCE verifier are derived from both.
"""

import math
import time
from hashlib import sha256
from hmac import digest
from secrets import token_hex
from typing import Final
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response
from itsdangerous import BadData, URLSafeTimedSerializer

from heksherlite.http.urls import printable
from heksherlite.service.api.context import Context
from heksherlite.service.api.denials import note_denial
from heksherlite.service.api.proxy_headers import client_network
from heksherlite.service.api.routes import public
from heksherlite.service.domain.audit import Action
from heksherlite.service.domain.identity_providers import UnidentifiedPersonError
from heksherlite.service.errors import IdentityProviderError, IdentityProviderUnavailableError
from heksherlite.service.pages.login import local_page, login_form
from heksherlite.service.pages.page_route import PageRoute
from heksherlite.service.pages.rendering import PAGE_HEADERS, redirect

router = APIRouter(prefix="/f/oidc", include_in_schema=False, route_class=PageRoute)

_LOGIN_SECONDS: Final = 600
_CALLBACK: Final = "/f/oidc/callback"


@router.get("/login")
@public
async def begin_login(request: Request, context: Context) -> Response:
    """Redirect the browser to the identity provider."""
    page = local_page(request.query_params.get("next", ""))
    client = context.identity_provider
    if client is None:
        return redirect(request, "login?" + urlencode({"next": page}))
    wait = context.grant_limits.logins.take(
        client_network(context.authorizer.proxy_headers.address(request.scope)), time.monotonic()
    )
    if wait:
        retry = {"retry-after": str(math.ceil(wait))}
        return login_form(request, page, "too many logins; try again later", status=429, headers=retry)
    visitor = context.people.visitor(request)
    state = str(_serializer(visitor.secret).dumps([page, token_hex(8)]))
    try:
        url = await client.login_url(
            redirect_uri=context.base_url(request) + _CALLBACK,
            state=state,
            nonce=_derived(visitor.secret, state, "nonce"),
            code_verifier=_derived(visitor.secret, state, "code verifier"),
        )
    except IdentityProviderUnavailableError as error:
        return _unavailable(request, page, error)
    response = Response(None, 303, {**PAGE_HEADERS, "location": url})
    context.people.set_cookie(request, response, visitor)
    return response


@router.get("/callback")
@public
async def end_login(request: Request, context: Context) -> Response:
    """Log in the person whom the identity provider identified, and redirect to the requested page."""
    client = context.identity_provider
    if client is None:
        return redirect(request, "login")
    visitor, query = context.people.visitor(request), request.query_params
    state = query.get("state", "")
    try:
        page, _ = _serializer(visitor.secret).loads(state, max_age=_LOGIN_SECONDS)
    except BadData:
        problem = "this login was started in another browser or more than ten minutes ago; start again"
        return login_form(request, local_page(""), problem, status=400)
    if "error" in query:
        reason = ": ".join(printable(query[key]) for key in ("error", "error_description") if key in query)
        return _refused(request, page, f"the identity provider refused the login: {reason}")
    try:
        if query.get("iss", client.provider.issuer) != client.provider.issuer:
            raise IdentityProviderError("the response comes from another identity provider")  # noqa: TRY301 - RFC 9207
        claims = await client.claims(
            query.get("code", ""),
            redirect_uri=context.base_url(request) + _CALLBACK,
            nonce=_derived(visitor.secret, state, "nonce"),
            code_verifier=_derived(visitor.secret, state, "code verifier"),
        )
        person, granted = client.provider.identify(claims)
    except IdentityProviderUnavailableError as error:
        return _unavailable(request, page, error)
    except (IdentityProviderError, UnidentifiedPersonError) as error:
        return _refused(request, page, str(error))
    response = redirect(request, page)
    context.people.set_cookie(request, response, await context.people.log_in_identified(request, person, granted))
    return response


def _refused(request: Request, page: str, reason: str) -> Response:
    note_denial(request.scope, reason, Action.LOG_IN)
    return login_form(request, page, reason, status=403)


def _unavailable(request: Request, page: str, error: IdentityProviderUnavailableError) -> Response:
    return login_form(request, page, str(error), status=503, headers={"retry-after": "5"})


def _serializer(secret: str) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(
        secret, "login at identity provider", signer_kwargs={"digest_method": sha256, "key_derivation": "hmac"}
    )


def _derived(secret: str, state: str, purpose: str) -> str:
    return digest(secret.encode(), f"{purpose} of {state}".encode(), "sha256").hex()
