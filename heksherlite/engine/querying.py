"""Sends the queries of a client, and leaves out the parts that the service refuses."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from heksherlite.engine import protocol
from heksherlite.engine.health import Problem, Problems
from heksherlite.engine.messages import Flow, Response, is_refusal, send_all, status_of, unwrap
from heksherlite.engine.options import ContextOptions
from heksherlite.engine.queries import ContextFilter, Query, QuerySize, divide_names
from heksherlite.engine.refused_parts import (
    TOO_LARGE,
    RefusedParts,
    error_of,
    find_refused_parts,
)
from heksherlite.engine.registry import LISTED_PROBLEMS, Registry
from heksherlite.engine.versions import Version, tag_in

logger = logging.getLogger(__name__)

_LISTED: Final = 5
"""The maximum number of parts that the text of a log message lists."""


class Querying:
    """Sends the queries for all declared settings and everything that is tracked.

    A part that the service refuses is left out: a setting becomes pending, and a tracked value is not queried. If the
    service refuses long URLs, there are more queries, and shorter ones.

    Args:
        registry: The settings.
        options: What is tracked.
        keeps_responses: Whether the responses are kept for snapshots.

    Attributes:
        offers_stream: Whether the service offers a stream of changes.
    """

    def __init__(self, registry: Registry, options: ContextOptions, *, keeps_responses: bool) -> None:
        self._registry = registry
        self._options = options
        self._keeps_responses = keeps_responses
        self._size = QuerySize()
        self._logged: set[str] = set()
        self.offers_stream = False

    def queries(self) -> list[Query]:
        """Return the current queries."""
        parts = divide_names(self._registry.declared_names, self._size)
        return [Query(part, portion) for part in parts for portion in self.filters()]

    def filters(self) -> list[ContextFilter]:
        """Return the context filters of the current queries."""
        return list(self._options.filter_portions(self._size))

    def send(
        self, versions: Mapping[Query, Version], event_id: str | None, *, after_declaring: bool = False
    ) -> Flow[dict[Query, Response]]:
        """Send the queries, if necessary several times, and return the responses.

        Args:
            versions: The versions of earlier responses.
            event_id: The id of the last event of the stream of changes.
            after_declaring: Whether the settings were just declared, so that status 404 is a refusal. Otherwise it is
                returned.

        Raises:
            Exception: If there is no response to a query, or the service refuses every setting of a query.
        """
        while True:
            # The responses to a snapshot's divided queries have to be complete, because a partial response to one of
            # them does not say which of the rules of the other ones it replaces.
            partial = not self._keeps_responses or len(self.filters()) == 1
            queries = self.queries()
            outcomes = yield from send_all(
                protocol.query(query, tag_in(versions.get(query)), event_id, partial=partial) for query in queries
            )
            refused = [
                (query, outcome)
                for query, outcome in zip(queries, outcomes, strict=True)
                if is_refusal(outcome, of_missing=after_declaring)
            ]
            if not refused:
                break
            for outcome in outcomes:
                if not is_refusal(outcome):
                    unwrap(outcome)
            yield from self._leave_out(*refused[0])
        responses = {query: unwrap(outcome) for query, outcome in zip(queries, outcomes, strict=True)}
        self.offers_stream = any(response.offers_stream for response in responses.values())
        self._log_recovery()
        return responses

    @property
    def leaves_out(self) -> bool:
        """Whether the service refused a part of a query, or a declaration."""
        return bool(self._options.refused or self._registry.refusals)

    @property
    def problems(self) -> Problems:
        """The problems of settings and tracked values."""
        problems = self._registry.problems
        refused = self._options.refused
        if not refused:
            return problems
        listed = [
            Problem("refused value", None, f"{feature}={value!r}: {reason}")
            for (feature, value), reason in refused.items()
        ]
        return replace(problems, refused_values=len(refused), listed=(*problems.listed, *listed)[:LISTED_PROBLEMS])

    def _leave_out(self, query: Query, refusal: Response | Exception) -> Flow[None]:
        """Leave out what the service refuses, or divide the queries further.

        Raises:
            Exception: If neither is possible, or nothing would be left.
        """
        if status_of(refusal) in TOO_LARGE and self._divide():
            return
        divided = {feature: set(values) for feature, values in query.context_filter.values.items()}
        parts = yield from find_refused_parts(query, {**self._options.queried, **divided})
        if parts.names.keys() >= set(query.names.split(",")):
            raise error_of(refusal)
        if not (parts.names or parts.values):
            if not self._divide():
                raise error_of(refusal)
            return
        self._registry.set_aside_refused(parts.names)
        self._options.leave_out(parts.values)
        self._log(parts)

    def _divide(self) -> bool:
        """Make queries shorter, if that is possible."""
        smaller = self._size.halved()
        if smaller is not None:
            self._size = smaller
        return smaller is not None

    def _log(self, parts: RefusedParts) -> None:
        reasons = {f"setting {name!r}": reason for name, reason in parts.names.items()}
        reasons |= {f"{feature}={value!r}": reason for (feature, value), reason in parts.values.items()}
        new = {part: reason for part, reason in reasons.items() if part not in self._logged}
        self._logged |= reasons.keys()
        if new:
            texts = [f"{part}: {reason}" for part, reason in new.items()]
            others = f"; and {len(texts) - _LISTED} more" if len(texts) > _LISTED else ""
            logger.warning(
                "the service refuses a part of the query: %s",
                "; ".join(texts[:_LISTED]) + others,
                extra={"refused_parts": new},
            )

    def _log_recovery(self) -> None:
        if self._logged and not self.leaves_out:
            logger.info("the service accepts the whole query again")
            self._logged.clear()
