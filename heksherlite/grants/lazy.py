"""A grant that is only asked if the other layers lack what is read."""

from dataclasses import replace

from heksherlite.grants.grant import GrantLike, LoadRequest, as_grant, load
from heksherlite.grants.layers import Layer, LayeredFacts


class LazyGrant:
    """A layer of a :class:`ParallelGrant` that is not loaded until the other layers lack something.

    It is loaded if a path does not exist in the other layers, if a group does not fit the class that it is read
    ``into``, or if one of ``assert_groups`` is missing. From then on, it is loaded like any other layer. Without a
    class, a read of a group that another layer has does not load it, whatever keys the group has.

    This load never asks a person: a :class:`DeviceCodeGrant` must have a stored token, or wait for
    :meth:`Fakts.refresh`.

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
        if not request.needs_all:
            return LayeredFacts([Layer(source=f"{self._grant!r} (not asked yet)", facts={}, is_pending=True)])
        # The first load of this layer may use its cache.
        facts = await load(self._grant, replace(request, force_refresh=False))
        self._is_needed = True
        return facts

    def __repr__(self) -> str:
        return f"LazyGrant({self._grant!r})"
