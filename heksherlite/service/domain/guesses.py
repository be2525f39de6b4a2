"""Wrong guesses at device codes: from one address a few, and at one code not many from all of them."""

from collections import OrderedDict, deque
from typing import Final

_PER_ADDRESS: Final = 5
_ADDRESS_SECONDS: Final = 60.0
_PER_CODE: Final = 50
_REMEMBERED_SECONDS: Final = 600.0
_MOST_ADDRESSES: Final = 10_000


class Guesses:
    """Counts codes that do not exist, by the address that tried them.

    Asking for the same code again is no new guess: a program asks until a person has opened its page.
    """

    def __init__(self) -> None:
        self._by_address: OrderedDict[str, dict[bytes, float]] = OrderedDict()
        self._times: deque[float] = deque(maxlen=_PER_CODE)

    def wait(self, address: str, digest: bytes, now: float) -> float:
        """Return after how many seconds an address may try a code; 0 if it may now.

        Args:
            address: From where it is tried.
            digest: The digest of the code.
            now: The time in seconds, by a clock that is not set back.
        """
        tried = self._tried(address, now)
        if digest in tried or len(tried) < _PER_ADDRESS:
            return 0.0
        return min(tried.values()) + _ADDRESS_SECONDS - now

    def wrong(self, address: str, digest: bytes, now: float) -> None:
        """Count a code that does not exist."""
        tried = self._tried(address, now)
        if digest not in tried:
            self._times.append(now)
        tried[digest] = now
        self._by_address[address] = tried
        self._by_address.move_to_end(address)
        if len(self._by_address) > _MOST_ADDRESSES:
            self._by_address.popitem(last=False)

    def exhausted(self, age: float, now: float) -> bool:
        """Tell whether so many wrong guesses were made since a code exists that one more may be no accident.

        Then only the address that the code came from gets an answer about it.

        Args:
            age: How many seconds ago the code was made.
            now: The time, as above.
        """
        since = now - min(age, _REMEMBERED_SECONDS)
        return len(self._times) == _PER_CODE and self._times[0] >= since

    def _tried(self, address: str, now: float) -> dict[bytes, float]:
        tried = self._by_address.get(address, {})
        return {digest: at for digest, at in tried.items() if now - at < _ADDRESS_SECONDS}
