"""Progress bars."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import click

_STEPS: Final = 200


@contextmanager
def progress(label: str, length: int | None) -> Iterator[Callable[[int], object]]:
    """Show a progress bar while a block runs, if the standard error is a terminal.

    Args:
        label: What the command does.
        length: The amount of work; None if it is not known, which shows no bar.

    Yields:
        A function to call with the amount of work that was done since the last call.
    """
    if length is None or not sys.stderr.isatty():
        yield lambda _: None
        return
    with click.progressbar(
        length=length, label=label, file=sys.stderr, update_min_steps=max(1, length // _STEPS)
    ) as bar:
        yield bar.update
