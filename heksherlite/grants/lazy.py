"""A grant that is only asked if the other layers lack what is read."""

from dataclasses import replace

from heksherlite.grants.grant import GrantLike, LoadRequest, as_grant, load
from heksherlite.grants.layers import Layer, LayeredFacts


class LazyGrant:
    """A layer that is not loaded until a path is read that the other layers do not have.

    From then on, it is loaded like any other layer. Use it in a :class:`ParallelGrant`. A read that finds something in
    the other layers does not load it: declare in one place whatever belongs together.

    Args:
        grant: The grant, for example a remote one.
    """

    def __init__(self, grant: GrantLike) -> None:
        self._grant = as_grant(grant)
        self._is_needed = False

    async def aload(self, request: LoadRequest) -> LayeredFacts:
        """Return the facts of the grant if they are needed, and no facts otherwise.

        Raises:
            GrantError: If the grant fails.
        """
        if self._is_needed:
            return await load(self._grant, request)
        if request.missing is None:
            return LayeredFacts([Layer(source=f"{self._grant!r} (not asked yet)", facts={})])
        # The first load of this layer may use its cache.
        facts = await load(self._grant, replace(request, force_refresh=False))
        self._is_needed = True
        return facts

    def __repr__(self) -> str:
        return f"LazyGrant({self._grant!r})"
