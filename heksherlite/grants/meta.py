"""Grants that combine other grants."""

import logging
from collections.abc import Sequence

import anyio

from heksherlite.errors import GrantError
from heksherlite.grants.facts import Facts
from heksherlite.grants.grant import Grant, GrantLike, LoadRequest, as_grant, load
from heksherlite.grants.layers import LayeredFacts
from heksherlite.http.task_groups import start_soon

logger = logging.getLogger(__name__)


class FailsafeGrant:
    """The facts of the first grant that succeeds. The next grant is tried if one raises a :class:`GrantError`.

    Args:
        grants: The grants, in the order of preference. At least one.
    """

    def __init__(self, grants: Sequence[GrantLike]) -> None:
        self._grants = _as_grants(self, grants)

    async def aload(self, request: LoadRequest) -> Facts:
        """Return the facts of the first grant that succeeds.

        Raises:
            GrantError: If all grants fail. It contains the error of each one.
        """
        causes: list[GrantError] = []
        for grant in self._grants:
            try:
                return await load(grant, request)
            except GrantError as error:
                causes.append(error)
                _log_failure(grant, error)
        raise GrantError(f"all {len(causes)} grants failed:", causes)

    def __repr__(self) -> str:
        return f"FailsafeGrant({self._grants})"


class ParallelGrant:
    """The merged facts of several grants, which load concurrently. Later grants override earlier ones at all levels.

    Args:
        grants: The grants. At least one.
        omit_exceptions: Whether to leave out grants that raise a :class:`GrantError`.
    """

    def __init__(self, grants: Sequence[GrantLike], *, omit_exceptions: bool = False) -> None:
        self._grants = _as_grants(self, grants)
        self._omit_exceptions = omit_exceptions

    async def aload(self, request: LoadRequest) -> Facts:
        """Return the facts of all grants.

        Raises:
            GrantError: If a grant fails, or with ``omit_exceptions`` if all fail. It contains the error of each one.
        """
        results: dict[int, LayeredFacts | Exception] = {}

        async def load_one(index: int, grant: Grant) -> None:
            try:
                results[index] = await load(grant, request)
            except Exception as error:  # noqa: BLE001 - raised below, outside of an exception group
                results[index] = error

        async with anyio.create_task_group() as tasks:
            for index, grant in enumerate(self._grants):
                start_soon(tasks, load_one, index, grant)
        ordered = [results[index] for index in range(len(self._grants))]
        for result in ordered:
            if isinstance(result, Exception) and not isinstance(result, GrantError):
                raise result
        causes = [result for result in ordered if isinstance(result, GrantError)]
        if causes and (not self._omit_exceptions or len(causes) == len(ordered)):
            raise GrantError(f"{len(causes)} of {len(ordered)} grants failed:", causes)
        for grant, result in zip(self._grants, ordered, strict=True):
            if isinstance(result, GrantError):
                _log_failure(grant, result)
        return LayeredFacts(layer for result in ordered if isinstance(result, LayeredFacts) for layer in result.layers)

    def __repr__(self) -> str:
        return f"ParallelGrant({self._grants})"


def _as_grants(owner: object, grants: Sequence[GrantLike]) -> list[Grant]:
    if not grants:
        raise ValueError(f"{type(owner).__name__} needs at least one grant")
    return [as_grant(grant) for grant in grants]


def _log_failure(grant: Grant, error: GrantError) -> None:
    logger.warning("grant failed: %r: %s", grant, error, extra={"grant": repr(grant), "reason": str(error)})
