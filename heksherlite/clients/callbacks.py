"""Calls functions of the program that must not end what calls them."""

import logging
from collections.abc import Callable

from heksherlite.cancellation import let_signals_pass

logger = logging.getLogger(__name__)


def call_back(function: Callable[..., object], *args: object) -> None:
    """Call a function. Whatever it raises is logged, :class:`SystemExit` and :class:`KeyboardInterrupt` included."""
    try:
        function(*args)
    except BaseException as error:
        let_signals_pass(error)
        callback = repr(function)
        logger.exception("error in a callback of heksher client: %s", callback, extra={"callback": callback})
