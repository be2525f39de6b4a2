"""Codes that do not exist: an address may enter a few, and then has to wait."""

import math
import time
from typing import Final

from fastapi import Request

from heksherlite.service.api.access_denied import AccessDeniedError
from heksherlite.service.domain.device_codes import code_digest
from heksherlite.service.domain.failed_attempts import FailedAttempts

NO_SUCH_CODE: Final = (
    "There is no such code. It may have been mistyped, or it is too old: a code can be used for ten minutes, and once."
)


def require_within_rate_limit(request: Request, code: str) -> None:
    """Check that an address may try a code.

    Raises:
        AccessDeniedError: It tried too many that do not exist.
    """
    wait = _failed_codes(request).retry_after(_address(request), code_digest(code), time.monotonic())
    if wait:
        seconds = math.ceil(wait)
        raise AccessDeniedError(
            429, f"too many codes that do not exist; try again in {seconds} s", headers={"retry-after": str(seconds)}
        )


def count_failed_attempt(request: Request, code: str) -> None:
    """Count a code that does not exist."""
    _failed_codes(request).record(_address(request), code_digest(code), time.monotonic())


def _failed_codes(request: Request) -> FailedAttempts:
    failed_codes: FailedAttempts = request.app.state.failed_codes
    return failed_codes


def _address(request: Request) -> str:
    return request.state.identity.address or ""
