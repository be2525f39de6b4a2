"""Which events the audit record keeps one by one, so that nobody can make it grow without limit."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from heksherlite.service.domain.audit import Action, AuditEvent, AuditOutcome
from heksherlite.service.domain.authors import Author
from heksherlite.service.domain.rates import RateLimiter

_PER_CLIENT_BURST: Final = 10
_SECONDS_PER_EVENT: Final = 6.0
_DENIALS_BURST: Final = 200
_DENIALS_PER_SECOND: Final = 1.0

_UNKNOWN: Final = Author("anonymous")


class AuditSampler:
    """Admits the first events of each client, and counts the others.

    A client that is denied is an address, which anybody can have many of. All denials together are therefore limited
    as well.
    """

    def __init__(self) -> None:
        self._clients = RateLimiter(per_second=1 / _SECONDS_PER_EVENT, burst=_PER_CLIENT_BURST)
        self._denials = RateLimiter(per_second=_DENIALS_PER_SECOND, burst=_DENIALS_BURST)
        self._omitted: Counter[tuple[Action, AuditOutcome, Author]] = Counter()

    def admits(self, event: AuditEvent, client: str, now: float) -> bool:
        """Return whether to record an event by itself. Otherwise it is counted.

        Args:
            event: The event.
            client: The client, to tell it from others: the network of its address, or its id.
            now: The time in seconds on a monotonic clock.
        """
        is_denial = event.outcome is AuditOutcome.DENIED
        wait = self._clients.take(f"{event.action} {event.outcome} {client}", now)
        if not wait and is_denial:
            wait = self._denials.take("", now)
        if not wait:
            return True
        self.omit(event)
        return False

    def omit(self, event: AuditEvent) -> None:
        """Count an event instead of recording it."""
        # The actors of what succeeded are known, so there are only so many; denied ones are counted together.
        actor = Author(event.actor.kind, event.actor.name, id=event.actor.id)
        key = event.action, event.outcome, _UNKNOWN if event.outcome is AuditOutcome.DENIED else actor
        self._omitted[key] += event.count

    def summaries(self) -> Sequence[AuditEvent]:
        """Return one event for all that were counted with the same action, outcome and actor, and begin anew."""
        omitted, self._omitted = self._omitted, Counter()
        return [
            AuditEvent(action=action, outcome=outcome, actor=actor, count=count)
            for (action, outcome, actor), count in omitted.items()
        ]
