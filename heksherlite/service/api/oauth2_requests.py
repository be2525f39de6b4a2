"""What the routes of OAuth2 have in common: parameters, the authentication of clients, and errors (RFC 6749)."""

import logging
import math
import time
from base64 import b64decode
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal
from urllib.parse import unquote_plus

from fastapi import Request, Response

from heksherlite.service.api.context import ServiceContext, context_of
from heksherlite.service.api.denials import DENIED_STATUSES, note_denial
from heksherlite.service.api.forms import FORM, NotAFormError, parse_form
from heksherlite.service.api.proxy_headers import client_network
from heksherlite.service.api.responses import Responses, json_response, text_responses
from heksherlite.service.domain.applications import Application
from heksherlite.service.domain.audit import Action
from heksherlite.service.fields import ResponseBody

_logger = logging.getLogger(__name__)

NOT_STORED: Final = {"cache-control": "no-store", "pragma": "no-cache"}
_CHALLENGE: Final = {"www-authenticate": 'Basic realm="heksherlite", charset="UTF-8"'}

CLIENT_FIELDS: Final[dict[str, Any]] = {
    "client_id": {"type": "string", "description": "Required without HTTP Basic."},
    "client_secret": {"type": "string", "description": "Required without HTTP Basic."},
}
"""The fields by which a client authenticates in the body, for OpenAPI."""


class OAuth2ErrorResponse(ResponseBody):
    """An error of OAuth2 (RFC 6749, section 5.2, and RFC 8628, section 3.5)."""

    error: Literal[
        "invalid_request",
        "invalid_client",
        "invalid_grant",
        "unsupported_grant_type",
        "unsupported_token_type",
        "invalid_scope",
        "authorization_pending",
        "slow_down",
        "access_denied",
        "expired_token",
    ]
    error_description: str


class OAuth2Error(Exception):
    """A request of an OAuth2 client was refused.

    Args:
        error: The error code.
        description: The reason, for people.
        status: The status code of the response.
        headers: Additional response headers.
    """

    def __init__(self, error: str, description: str, status: int = 400, **headers: str) -> None:
        super().__init__(description)
        self.error = error
        self.status = status
        self.headers = headers


ERRORS: Final[Responses] = {
    400: {"model": OAuth2ErrorResponse, "description": "The request is malformed, or was not granted."},
    401: {"model": OAuth2ErrorResponse, "description": "The client is unknown, or its secret is wrong."},
    429: {"model": OAuth2ErrorResponse, "description": "Too many failed attempts."},
    **text_responses(408, 413, 503),
}
"""The error responses of every route."""


_DENIALS: Final = frozenset({"invalid_grant", "invalid_scope", "access_denied"})
"""The errors with status 400 that deny something. Others are about the form of a request, or about waiting."""


def form_description(required: Sequence[str], **fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the OpenAPI description of a form."""
    schema = {"type": "object", "required": list(required), "properties": fields}
    return {"requestBody": {"required": True, "content": {FORM: {"schema": schema}}}}


def refuse(request: Request, error: OAuth2Error, action: Action) -> Response:
    """Return the response to a request that was refused."""
    if error.status in DENIED_STATUSES:
        note_denial(request.scope, str(error), action)
    elif error.error in _DENIALS:
        context_of(request).audit.record_denial(request, action, str(error), error=error.error)
    body = {"error": error.error, "error_description": str(error)}
    return json_response(body, error.status, {**NOT_STORED, **error.headers})


async def read_parameters(request: Request) -> dict[str, str]:
    """Return the parameters in the body of a request.

    Raises:
        OAuth2Error: The body is not a form, or a parameter is repeated.
    """
    try:
        fields = parse_form(request.headers.get("content-type", ""), await request.body())
    except NotAFormError as error:
        raise OAuth2Error("invalid_request", str(error)) from error
    except ValueError as error:
        raise OAuth2Error("invalid_request", "the body is malformed") from error
    repeated = [name for name, values in fields.items() if len(values) > 1]
    if repeated:
        raise OAuth2Error("invalid_request", f"the parameter {repeated[0][:100]!r} is repeated")
    return {name: values[0] for name, values in fields.items() if values[0]}  # empty means absent (section 3.2)


async def authenticate(request: Request, context: ServiceContext, parameters: Mapping[str, str]) -> Application:
    """Return the application that sends its client secret by HTTP Basic or in the body.

    Raises:
        OAuth2Error: The credentials are missing or malformed, or the client is unknown.
    """
    client_id, client_secret = client_credentials(request, parameters)
    known = await context.store.applications.get(client_id)
    now = context.store.now().timestamp()
    application = None
    if known is not None and client_secret is not None:
        application = known.with_client_secret(client_secret, now)
    if application is None:
        raise refuse_client(context, request.state.identity.address or "")
    return application


def client_credentials(
    request: Request, parameters: Mapping[str, str], *, is_public: bool = False
) -> tuple[str, str | None]:
    """Return the client ID and secret in a request.

    Args:
        request: The request.
        parameters: The parameters in its body.
        is_public: Whether the secret may be missing.

    Raises:
        OAuth2Error: The credentials are missing or malformed.
    """
    authorizations = request.headers.getlist("authorization")
    if not authorizations:
        if "client_id" not in parameters or not ("client_secret" in parameters or is_public):
            raise OAuth2Error("invalid_client", "the client credentials are missing", 401, **_CHALLENGE)
        return parameters["client_id"], parameters.get("client_secret")
    scheme, _, credentials = authorizations[0].partition(" ")
    if len(authorizations) > 1 or "client_secret" in parameters:
        raise OAuth2Error("invalid_request", "the client credentials are repeated")
    try:
        decoded = b64decode(credentials.strip(), validate=True).decode()
    except ValueError:
        decoded = ""
    client_id, colon, client_secret = decoded.partition(":")
    if scheme.lower() != "basic" or not colon:
        raise OAuth2Error("invalid_client", "the client credentials are malformed", 401, **_CHALLENGE)
    return unquote_plus(client_id), unquote_plus(client_secret)  # section 2.3.1


def refuse_client(context: ServiceContext, address: str, *, error: str = "invalid_client") -> OAuth2Error:
    """Return the error for a client that cannot prove who it is, and count the failed attempt."""
    wait = context.grant_limits.failed_clients.take(client_network(address), time.monotonic())
    level = context.repetition.level(logging.WARNING, address)
    _logger.log(level, "an OAuth2 client was refused: its address is %s", address, extra={"client": address})
    if wait:
        retry = {"retry-after": str(math.ceil(wait))}
        return OAuth2Error(error, "too many failed attempts", 429, **retry)
    if error == "invalid_grant":
        return OAuth2Error(error, "the token is unknown, was revoked or has expired")
    return OAuth2Error(
        "invalid_client", "the client is unknown, was revoked or has expired, or its secret is wrong", 401, **_CHALLENGE
    )
