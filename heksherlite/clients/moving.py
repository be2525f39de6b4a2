"""Clients that move to the address or token of changed facts."""

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from weakref import ref

from heksherlite.clients.facts import ClientFacts, read_client_facts

if TYPE_CHECKING:
    from heksherlite.clients.base import BaseClient
    from heksherlite.grants.loader import Fakts

logger = logging.getLogger(__name__)


def move_with_facts(
    client: "BaseClient", fakts: "Fakts[Any]", group: str, used: ClientFacts, options: Mapping[str, Any]
) -> None:
    """Let a client use the address and the headers of its facts whenever they change.

    Args:
        client: The client. It can be garbage-collected nevertheless.
        fakts: The loader of the facts.
        group: The path of the group that configures the client.
        used: The configuration that the client has.
        options: The keyword arguments that the program passed to the client.
    """
    reference = ref(client)

    def move(value: object) -> None:
        nonlocal used
        client = reference()
        if client is None:
            fakts.remove_on_change(move)
            return
        try:
            facts = read_client_facts(value, group)
            if (facts.service_url, facts.headers) != (used.service_url, used.headers):
                client._move(facts.service_url, facts.options(options)["http_client_args"])
        except ValueError as error:
            logger.warning("changed facts of a client cannot be used: %s", error, extra={"reason": str(error)})
        else:
            used = facts

    fakts.on_change(group, follow=False)(move)
