"""The secrets of device codes (RFC 8628): a person sees the code, and only the program knows the secret.

A secret is derived from the code with the key that all services on the database share, so it is not stored.
"""

from base64 import urlsafe_b64encode
from collections import OrderedDict
from collections.abc import Callable, Sequence
from hmac import compare_digest, digest
from typing import Final

from heksherlite.service.domain.device_codes import DeviceCode
from heksherlite.service.domain.failed_attempts import FailedAttempts

_MAX_REMEMBERED: Final = 10_000


class DeviceCodeSecrets:
    """Creates and verifies the secrets of device codes.

    Args:
        keys: Returns the signing keys, which all services on the database share; the last one signs.
        failed_polls: The polls with unknown or unproven codes.
    """

    def __init__(self, keys: Callable[[], Sequence[str]], failed_polls: FailedAttempts) -> None:
        self._keys = keys
        self._failed_polls = failed_polls
        self._without_secret: OrderedDict[bytes, None] = OrderedDict()

    def secret_of(self, code_digest: bytes, created_at: int) -> str:
        """Return the secret of a device code.

        Args:
            code_digest: The digest of the code.
            created_at: When the code was created, in seconds since the epoch.
        """
        return _secret(self._keys()[-1], code_digest, created_at)

    def has_secret(self, code: DeviceCode, secret: str) -> bool:
        """Return whether a secret is that of a device code."""
        sent = secret.encode("utf-8", "replace")
        return code.chosen_by == "service" and any(
            compare_digest(sent, _secret(key, code.digest, code.created_at).encode()) for key in self._keys()
        )

    def may_collect(self, code: DeviceCode, secret: str | None, address: str, *, age: float, now: float) -> bool:
        """Return whether a client may learn the status of a code, and collect its token.

        Args:
            code: The code.
            secret: The secret that the client sent; None if it sent none, as old clients do.
            address: The address of the client.
            age: The age of the code, in seconds.
            now: The time in seconds on a monotonic clock.
        """
        if secret is not None:
            return self.has_secret(code, secret)
        self._without_secret[code.digest] = None
        if len(self._without_secret) > _MAX_REMEMBERED:
            self._without_secret.popitem(last=False)
        if code.chosen_by == "service":
            return address == code.address
        # The address of a program that chose its code is unknown, so the number of guesses is limited instead.
        return address == code.address or not self._failed_polls.exhausted(age, now)

    def is_collected_without_secret(self, code: DeviceCode) -> bool:
        """Return whether a client has polled for a code without its secret."""
        return code.digest in self._without_secret


def _secret(key: str, code_digest: bytes, created_at: int) -> str:
    message = b"device code %b %d" % (code_digest, created_at)
    return urlsafe_b64encode(digest(key.encode(), message, "sha256")).rstrip(b"=").decode()
