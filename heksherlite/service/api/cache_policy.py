"""What caches between clients and the service may do with answers to queries."""

from typing import Final

from heksherlite.service.options import ServiceOptions

_PAST_SECONDS: Final = 86_400
"""For how long the answer as of a revision may be kept: it never changes."""

NO_STORE: Final = "no-store"
"""For answers that are of no use to anybody else, nor to the same client again."""


class CachePolicy:
    """The headers that tell caches.

    Without tokens everybody gets the same answer, so that caches may share it, unless a proxy in front lets only some
    people in. With tokens an answer is for those who send the same one: besides ``private`` there is ``Vary``, for
    caches that are told to ignore the former.

    Args:
        options: How the service serves.

    Attributes:
        now: The ``Cache-Control`` of an answer as of now.
        past: The same of an answer as of a revision.
        vary: The headers of a request that the answer depends on.
    """

    def __init__(self, options: ServiceOptions) -> None:
        access, max_age = options.access, options.cache_max_age
        asks_for_tokens = access.auth == "tokens"
        # Never "public", nor what implies it: a proxy in front may ask for passwords of its own.
        private = "private, " if asks_for_tokens or access.trust_user_header is not None else ""
        self.now = private + (f"max-age={max_age}" if max_age else "no-cache")
        # Others than the client itself may answer without asking only if somebody has said so.
        self.past = ("" if max_age and not private else "private, ") + f"max-age={_PAST_SECONDS}, immutable"
        self.vary = "accept, accept-encoding, a-im, last-event-id" + ", authorization, api_token" * asks_for_tokens
