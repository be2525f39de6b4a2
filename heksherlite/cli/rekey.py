"""``heksherlite rekey``: encrypt the secrets in a database with the first secrets key."""

import click

from heksherlite.cli.location import database_option
from heksherlite.cli.secrets_key import secrets_key_options


@click.command()
@database_option
@secrets_key_options
def rekey(database: str | None) -> None:
    """Encrypt the secrets in a database with the first secrets key.

    This concerns the secrets of groups, the tokens of public applications, and the signing keys. They must be readable
    without a key, or with one of the secrets keys. Running services must have been started with the new key already.
    """
    from heksherlite.cli.database import in_access_store
    from heksherlite.service.storage.access import AccessStore

    async def work(access: AccessStore) -> int:
        if not access.has_secrets_key:
            raise click.ClickException("there is no secrets key; give one by --secrets-key-file")
        return await access.rekey()

    click.echo(f"{in_access_store(database, work)} secrets are encrypted with the first key")
