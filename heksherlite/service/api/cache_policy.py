"""The caching headers of query responses."""

from typing import Final

from heksherlite.service.options import ServiceOptions

_REVISION_MAX_AGE: Final = 86_400
"""The max-age of a response as of a revision, in seconds: such a response never changes."""

NO_STORE: Final = "no-store"
"""The ``Cache-Control`` of a response that is useless to all other requests."""


class CachePolicy:
    """Determines the caching headers.

    Without tokens, all clients receive the same response, so shared caches may keep it, unless a proxy restricts who
    may access the service. With tokens, a response is only for clients that send the same token: ``private``, and
    ``Vary`` for caches that are configured to ignore ``private``.

    Args:
        options: The options of the service.

    Attributes:
        now: The ``Cache-Control`` of a current response.
        past: The ``Cache-Control`` of a response as of a revision.
        vary: The ``Vary`` of all responses.
    """

    def __init__(self, options: ServiceOptions) -> None:
        access, max_age = options.access, options.cache_max_age
        requires_tokens = access.auth == "tokens"
        # Never "public", nor a directive that implies it: a proxy may require authentication of its own.
        private = "private, " if requires_tokens or access.trust_user_header is not None else ""
        self.now = private + (f"max-age={max_age}" if max_age else "no-cache")
        # Shared caches may respond without revalidation only if the operator has allowed it.
        self.past = ("" if max_age and not private else "private, ") + f"max-age={_REVISION_MAX_AGE}, immutable"
        self.vary = "accept, accept-encoding, a-im, last-event-id" + ", authorization, api_token" * requires_tokens
