"""Tables in plain text."""

from collections.abc import Sequence

import click


def print_table(titles: Sequence[str], rows: Sequence[Sequence[str]], *, err: bool = False) -> None:
    """Print rows in columns below their titles, to the standard output or the standard error."""
    printed = [titles, *rows]
    widths = [max(map(len, column)) for column in zip(*printed, strict=True)]
    for row in printed:
        line = "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True))
        click.echo(line.rstrip(), err=err)
