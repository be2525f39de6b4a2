"""Grants that are made of other grants."""

import logging
from collections.abc import Sequence

import anyio

from heksherlite.errors import GrantError
from heksherlite.grants.facts import Facts, merged
from heksherlite.grants.grant import Grant, GrantLike, LoadRequest, as_grant, load

logger = logging.getLogger(__name__)


class FailsafeGrant:
    """The facts of the first grant that has some. Others are tried when one raises a :class:`GrantError`.

    Args:
        grants: At least one, the preferred first.
    """

    def __init__(self, grants: Sequence[GrantLike]) -> None:
        self._grants = _grants(self, grants)

    async def aload(self, request: LoadRequest) -> Facts:
        """Return the facts of the first grant that succeeds.

        Raises:
            GrantError: If none does; it holds what each of them raised.
        """
        causes: list[GrantError] = []
        for grant in self._grants:
            try:
                return await load(grant, request)
            except GrantError as error:
                causes.append(error)
                _warn(grant, error)
        raise GrantError(f"none of {len(causes)} grants gave facts:", causes)

    def __repr__(self) -> str:
        return f"FailsafeGrant({self._grants})"


class ParallelGrant:
    """The facts of several grants that are asked at once, merged at all levels; later grants win over earlier ones.

    Args:
        grants: At least one.
        omit_exceptions: Whether to do without those that raise a :class:`GrantError`.
    """

    def __init__(self, grants: Sequence[GrantLike], *, omit_exceptions: bool = False) -> None:
        self._grants = _grants(self, grants)
        self._omit_exceptions = omit_exceptions

    async def aload(self, request: LoadRequest) -> Facts:
        """Return the facts of all grants.

        Raises:
            GrantError: If one of them fails, or all of them when failures are left out; it holds what each raised.
        """
        results: dict[int, Facts | Exception] = {}

        async def load_one(index: int, grant: Grant) -> None:
            try:
                results[index] = await load(grant, request)
            except Exception as error:  # noqa: BLE001 - raised below, and not in a group of exceptions
                results[index] = error

        async with anyio.create_task_group() as tasks:
            for index, grant in enumerate(self._grants):
                tasks.start_soon(load_one, index, grant)
        ordered = [results[index] for index in range(len(self._grants))]
        for result in ordered:
            if isinstance(result, Exception) and not isinstance(result, GrantError):
                raise result
        causes = [result for result in ordered if isinstance(result, GrantError)]
        if causes and (not self._omit_exceptions or len(causes) == len(ordered)):
            raise GrantError(f"{len(causes)} of {len(ordered)} grants gave no facts:", causes)
        for grant, result in zip(self._grants, ordered, strict=True):
            if isinstance(result, GrantError):
                _warn(grant, result)
        return merged(*(result for result in ordered if isinstance(result, dict)))

    def __repr__(self) -> str:
        return f"ParallelGrant({self._grants})"


def _grants(owner: object, grants: Sequence[GrantLike]) -> list[Grant]:
    if not grants:
        raise ValueError(f"{type(owner).__name__} needs at least one grant")
    return [as_grant(grant) for grant in grants]


def _warn(grant: Grant, error: GrantError) -> None:
    logger.warning("grant gave no facts", extra={"grant": repr(grant), "reason": str(error)})
