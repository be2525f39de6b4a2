"""The choice of an endpoint by a person."""

import sys
import threading
from collections.abc import Sequence

from heksherlite.errors import DiscoveryError
from heksherlite.grants.remote.messages import Endpoint
from heksherlite.http.urls import printable, shown_url

_PLACE = "the terminal"


class TerminalChooser:
    """Lets a person choose one of several endpoints in the terminal, once: ``AdvertisedDiscovery(choose=...)``.

    It lists the names and addresses on the standard error stream, and reads a number. Later discoveries of the same
    program take the same endpoint and ask nobody; they find none if it is not there. A choice does not prove who the
    endpoint is.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._chosen: str | None = None

    def __call__(self, endpoints: Sequence[Endpoint]) -> Endpoint | None:
        """Return the endpoint that the person chooses, or ``None`` for none. Blocks.

        Raises:
            DiscoveryError: If there is no terminal.
        """
        with self._lock:
            if self._chosen is not None:
                return next((endpoint for endpoint in endpoints if endpoint.base_url == self._chosen), None)
            chosen = _ask(endpoints)
            self._chosen = None if chosen is None else chosen.base_url
            return chosen

    def __repr__(self) -> str:
        return "TerminalChooser()"


def _ask(endpoints: Sequence[Endpoint]) -> Endpoint | None:
    if sys.stdin is None or not sys.stdin.isatty():
        reason = (
            f"there is none in which a person could choose one of {len(endpoints)} endpoints: "
            "pass host=, url= or fingerprint= to AdvertisedDiscovery"
        )
        raise DiscoveryError(_PLACE, reason)
    lines = [f"  {number}  {_described(endpoint)}\n" for number, endpoint in enumerate(endpoints, 1)]
    sys.stderr.write(f"These endpoints were found:\n\n{''.join(lines)}\n")
    while True:
        sys.stderr.write(f"Number of the endpoint (1 to {len(endpoints)}, empty for none): ")
        sys.stderr.flush()
        answer = sys.stdin.readline().strip()
        if not answer:  # also at the end of the input
            return None
        if answer.isdecimal() and 1 <= int(answer) <= len(endpoints):
            return endpoints[int(answer) - 1]
        sys.stderr.write(f"{printable(answer)!r} is not a number from 1 to {len(endpoints)}.\n")


def _described(endpoint: Endpoint) -> str:
    texts = (printable(endpoint.name), shown_url(endpoint.base_url), printable(endpoint.description))
    return "  ".join(filter(None, texts))
