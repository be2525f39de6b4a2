"""Failed attempts to enter a device code, limited for each address and for all addresses together."""

from collections import OrderedDict, deque
from typing import Final

_PER_ADDRESS: Final = 5
_ADDRESS_SECONDS: Final = 60.0
_PER_CODE: Final = 50
_REMEMBERED_SECONDS: Final = 600.0
_MOST_ADDRESSES: Final = 10_000


class FailedAttempts:
    """Counts unknown device codes for each address that sent them.

    Repeating a code is not a new attempt: a program polls until a person has opened its page.
    """

    def __init__(self) -> None:
        self._by_address: OrderedDict[str, dict[bytes, float]] = OrderedDict()
        self._times: deque[float] = deque(maxlen=_PER_CODE)

    def retry_after(self, address: str, digest: bytes, now: float) -> float:
        """Return how many seconds an address must wait before it may try a code; 0 means it may try now.

        Args:
            address: The address of the client.
            digest: The digest of the code.
            now: The time in seconds on a monotonic clock.
        """
        tried = self._tried(address, now)
        if digest in tried or len(tried) < _PER_ADDRESS:
            return 0.0
        return min(tried.values()) + _ADDRESS_SECONDS - now

    def record(self, address: str, digest: bytes, now: float) -> None:
        """Count an attempt with an unknown code."""
        tried = self._tried(address, now)
        if digest not in tried:
            self._times.append(now)
        tried[digest] = now
        self._by_address[address] = tried
        self._by_address.move_to_end(address)
        if len(self._by_address) > _MOST_ADDRESSES:
            self._by_address.popitem(last=False)

    def exhausted(self, age: float, now: float) -> bool:
        """Return whether so many attempts have failed since a code was created that the next one may be an attack.

        Only the address that the code was issued to is then told about it.

        Args:
            age: The age of the code, in seconds.
            now: The time in seconds on a monotonic clock.
        """
        since = now - min(age, _REMEMBERED_SECONDS)
        return len(self._times) == _PER_CODE and self._times[0] >= since

    def _tried(self, address: str, now: float) -> dict[bytes, float]:
        tried = self._by_address.get(address, {})
        return {digest: at for digest, at in tried.items() if now - at < _ADDRESS_SECONDS}
