"""Waits until an endpoint announces that the facts of an application have changed."""

from dataclasses import dataclass, field
from random import Random
from typing import Final
from urllib.parse import urlsplit

import anyio

from heksherlite.engine.event_stream import EventStreamReader
from heksherlite.errors import ClaimError
from heksherlite.grants.remote.messages import GrantedResponse
from heksherlite.http.endpoint_client import EndpointClient
from heksherlite.secret import Secret

_FIRST_RETRY: Final = 1.0
_LAST_RETRY: Final = 300.0
"""In seconds. Without the stream, ``refresh_every`` still applies."""

_TOKEN_REJECTED: Final = (401, 403)
_MAX_LENGTH: Final = 2000


@dataclass(frozen=True, slots=True, eq=False)
class ConfigurationWatch:
    """The stream of an endpoint, which announces new versions of the facts of an application.

    Args:
        url: The URL of the stream.
        version: The version that the facts have.
        token: The token of the application.
        http: The HTTP client that claimed the facts. It may be closed.
    """

    url: str
    version: str
    token: Secret
    http: EndpointClient = field(repr=False)

    async def wait(self) -> None:
        """Return as soon as the endpoint has another version, or rejects the token."""
        spread, failures = 0.0, 0

        def take(reader: EventStreamReader, chunk: bytes) -> bool:
            nonlocal failures, spread
            for event in reader.read(chunk):
                failures, spread = 0, event.spread
                if event.id != self.version:
                    return True
            return False

        random = Random()  # noqa: S311 - only spreads requests
        while True:
            reader = EventStreamReader()
            try:
                async with self.http.again() as http:
                    authorization = Secret(f"Bearer {self.token.reveal()}")
                    await http.listen(self.url, authorization, lambda chunk: take(reader, chunk), error=ClaimError)  # noqa: B023 - called at once
            except ClaimError as error:
                if error.status in _TOKEN_REJECTED:
                    return  # the next claim finds out why
            except ValueError:  # it is not a stream of events
                pass
            else:
                await anyio.sleep(random.uniform(0, spread))
                return
            await anyio.sleep(random.uniform(0.5, 1) * min(_LAST_RETRY, _FIRST_RETRY * 2.0 ** min(failures, 10)))
            failures += 1


def configuration_watch(
    granted: GrantedResponse, claim_url: str, token: Secret, http: EndpointClient
) -> tuple[ConfigurationWatch, ...]:
    """Return the watch for a claimed configuration, or nothing if the endpoint offers no stream.

    The token is only sent to the origin that has received it before.

    Args:
        granted: The response to the claim.
        claim_url: The URL of the claim.
        token: The token.
        http: The HTTP client.
    """
    url, version = granted.get("stream_url"), granted.get("version")
    if not isinstance(url, str) or not isinstance(version, str) or len(url) > _MAX_LENGTH:
        return ()
    try:
        parts, origin = urlsplit(url), urlsplit(claim_url)
        same = (parts.scheme, parts.hostname, parts.port) == (origin.scheme, origin.hostname, origin.port)
    except ValueError:
        return ()
    return (ConfigurationWatch(url, version, token, http),) if same and not parts.username else ()
