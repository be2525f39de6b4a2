"""Tables in plain text."""

from collections.abc import Sequence

import click


def print_table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows in columns, below their titles."""
    printed = [titles, *rows]
    widths = [max(map(len, column)) for column in zip(*printed, strict=True)]
    for row in printed:
        click.echo("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())
