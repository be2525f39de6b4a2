"""The rate limit on unknown device codes."""

import math
import time
from typing import Final

from fastapi import Request

from heksherlite.service.api.access_denied import AccessDeniedError
from heksherlite.service.api.context import context_of
from heksherlite.service.api.proxy_headers import client_network
from heksherlite.service.domain.device_codes import code_digest

NO_SUCH_CODE: Final = (
    "This code does not exist. Check it for typing errors. A code expires after ten minutes and can be used only once."
)

NO_CLIENT_CODES: Final = (
    "This code does not exist. If the application chose it itself, as older ones do, the service accepts it only if"
    " it is started with --client-codes."
)


def require_within_rate_limit(request: Request, code: str) -> None:
    """Require that an operator has not entered too many unknown codes.

    Raises:
        AccessDeniedError: The operator has entered too many unknown codes.
    """
    failed_entries = context_of(request).grant_limits.failed_entries
    wait = failed_entries.retry_after(_key(request), code_digest(code), time.monotonic())
    if wait:
        seconds = math.ceil(wait)
        raise AccessDeniedError(
            429, f"too many unknown codes; try again in {seconds} s", headers={"retry-after": str(seconds)}
        )


def count_failed_attempt(request: Request, code: str) -> None:
    """Count an unknown code."""
    context_of(request).grant_limits.failed_entries.record(_key(request), code_digest(code), time.monotonic())


def _key(request: Request) -> str:
    # Persons behind the same address have separate allowances.
    identity = request.state.identity
    return f"{client_network(identity.address or '')} {identity.name or ''}"
