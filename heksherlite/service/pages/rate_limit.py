"""The rate limit on unknown device codes."""

import math
import time
from typing import Final

from fastapi import Request

from heksherlite.service.api.access_denied import AccessDeniedError
from heksherlite.service.api.context import context_of
from heksherlite.service.domain.device_codes import code_digest

NO_SUCH_CODE: Final = (
    "This code does not exist. Check it for typing errors. A code expires after ten minutes and can be used only once."
)


def require_within_rate_limit(request: Request, code: str) -> None:
    """Require that the address of a request has not sent too many unknown codes.

    Raises:
        AccessDeniedError: The address has sent too many unknown codes.
    """
    failed_codes = context_of(request).grant_limits.failed_codes
    wait = failed_codes.retry_after(_address(request), code_digest(code), time.monotonic())
    if wait:
        seconds = math.ceil(wait)
        raise AccessDeniedError(
            429, f"too many unknown codes; try again in {seconds} s", headers={"retry-after": str(seconds)}
        )


def count_failed_attempt(request: Request, code: str) -> None:
    """Count an unknown code."""
    context_of(request).grant_limits.failed_codes.record(_address(request), code_digest(code), time.monotonic())


def _address(request: Request) -> str:
    return request.state.identity.address or ""
