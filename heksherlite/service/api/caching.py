"""What caches between clients and the service may do with answers to queries."""

from typing import Final

from heksherlite.service.options import ServiceOptions

_PAST_SECONDS: Final = 86_400
"""For how long the answer as of a revision may be kept: it never changes."""

NOT_AT_ALL: Final = "no-store"
"""For answers that are of no use to anybody else, nor to the same client again."""


class Caching:
    """The headers that tell caches.

    Without tokens everybody gets the same answer, so that caches may share it. With tokens an answer is for those who
    send the same one: besides ``private`` there is ``Vary``, for caches that are told to ignore the former.

    Args:
        options: How the service serves.

    Attributes:
        now: The ``Cache-Control`` of an answer as of now.
        past: The same of an answer as of a revision.
        vary: The headers of a request that the answer depends on.
    """

    def __init__(self, options: ServiceOptions) -> None:
        asks_for_tokens = options.access.auth == "tokens"
        # Never "public", nor what implies it: a proxy in front may ask for passwords of its own.
        shared = "private, " if asks_for_tokens else ""
        self.now = shared + (f"max-age={options.cache_max_age}" if options.cache_max_age else "no-cache")
        self.past = f"{shared}max-age={_PAST_SECONDS}, immutable"
        self.vary = "accept, accept-encoding, a-im, last-event-id" + ", authorization, api_token" * asks_for_tokens
