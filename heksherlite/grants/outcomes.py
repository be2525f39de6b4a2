"""Reading of local sources, so that an error has no traceback in which their content is a local variable.

Error trackers record the local variables of each frame. The frames of parsers have the text that they parse.
"""

from collections.abc import Callable
from typing import TypeVarTuple

import anyio.to_thread

from heksherlite.errors import GrantError
from heksherlite.grants.layers import LayeredFacts

Args = TypeVarTuple("Args")


async def read_in_thread(read: Callable[[*Args], LayeredFacts], *arguments: *Args) -> LayeredFacts:
    """Return the facts that a function reads in a worker thread.

    Raises:
        GrantError: If the function raises it. It has no frames of the function.
    """
    return raised(await anyio.to_thread.run_sync(outcome_of, read, *arguments))


def outcome_of(read: Callable[[*Args], LayeredFacts], *arguments: *Args) -> LayeredFacts | GrantError:
    """Return the facts that a function reads, or its error."""
    try:
        return read(*arguments)
    except GrantError as error:
        return error.with_traceback(None)


def raised(outcome: LayeredFacts | GrantError) -> LayeredFacts:
    """Return facts, or raise an error.

    Raises:
        GrantError: If it is one.
    """
    if isinstance(outcome, GrantError):
        raise outcome
    return outcome
