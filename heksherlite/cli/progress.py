"""Progress bars and spinners, on a terminal only."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Final

import click

_STEPS: Final = 200
_FRAMES: Final = "|/-\\"
_FRAME_SECONDS: Final = 0.1
_PATIENCE_SECONDS: Final = 0.3
"""How long something may take without a spinner."""

_ERASE_LINE: Final = "\r\x1b[K"


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


@contextmanager
def spinner(label: str) -> Iterator[None]:
    """Show that a block is running, if it takes a while and the standard error is a terminal.

    Args:
        label: What the command does.
    """
    if not sys.stderr.isatty():
        yield
        return
    done = Event()
    thread = Thread(target=_spin, args=(label, done), name="heksherlite spinner", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _spin(label: str, done: Event) -> None:
    if done.wait(_PATIENCE_SECONDS):
        return
    frame = 0
    while not done.wait(_FRAME_SECONDS):
        sys.stderr.write(f"\r{_FRAMES[frame % len(_FRAMES)]} {label}")
        sys.stderr.flush()
        frame += 1
    sys.stderr.write(_ERASE_LINE)
    sys.stderr.flush()
