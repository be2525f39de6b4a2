"""The options that say where the key of the secrets in the database comes from."""

import os
from collections.abc import Callable
from functools import wraps
from typing import Any

import click

_FILE = "HEKSHERLITE_SECRETS_KEY_FILE"
_COMMAND = "HEKSHERLITE_SECRETS_KEY_COMMAND"


def secrets_key_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options to a command. They go into the environment, where everything that opens the database finds them.

    The variables of the environment work for every command.
    """

    @wraps(command)
    def run(*, secrets_key_file: str | None, secrets_key_command: str | None, **others: Any) -> None:
        for name, value in ((_FILE, secrets_key_file), (_COMMAND, secrets_key_command)):
            if value:
                os.environ[name] = value
        command(**others)

    run = click.option(
        "--secrets-key-command",
        metavar="COMMAND",
        envvar=_COMMAND,
        show_envvar=True,
        help="The command that prints the keys instead, such as that of a password manager.",
    )(run)
    return click.option(
        "--secrets-key-file",
        metavar="FILE",
        envvar=_FILE,
        show_envvar=True,
        type=click.Path(exists=True, dir_okay=False),
        help="The file with the keys that encrypt the secrets in the database, one per line: 32 bytes in base64, as"
        " openssl rand -base64 32 prints them. The first key encrypts, and all of them decrypt."
        " HEKSHERLITE_SECRETS_KEY may contain the keys instead. Requires heksherlite[encryption].",
    )(run)
