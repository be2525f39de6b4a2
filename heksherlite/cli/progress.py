"""Showing people how far a command is."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import click

_STEPS: Final = 200


@contextmanager
def progress(label: str, length: int | None) -> Iterator[Callable[[int], object]]:
    """Show a bar within a block, if the standard error is a terminal.

    Args:
        label: What is done.
        length: How much there is to do; there is no bar if that is not known.

    Yields:
        A function to be called with how much more is done.
    """
    if length is None or not sys.stderr.isatty():
        yield lambda _: None
        return
    with click.progressbar(
        length=length, label=label, file=sys.stderr, update_min_steps=max(1, length // _STEPS)
    ) as bar:
        yield bar.update
