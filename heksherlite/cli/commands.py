"""The group of all commands."""

import click

from heksherlite._version import __version__
from heksherlite.cli.serve import serve


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def heksherlite() -> None:
    """Settings whose values depend on context and change while a program runs."""


heksherlite.add_command(serve)
