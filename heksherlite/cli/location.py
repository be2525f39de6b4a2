"""The options that say which database a command changes, and why."""

from pathlib import Path

import click

database_option = click.option(
    "--database",
    metavar="URL",
    envvar="HEKSHER_DB_CONNECTION_STRING",
    show_envvar=True,
    help="The database: sqlite:///PATH or postgresql://USER:PASSWORD@HOST/DATABASE. By default a file in the user's"
    " data folder.",
)

reason_option = click.option("--reason", metavar="TEXT", help="Why the change is made, for the history.")


def default_database() -> Path:
    """Return the file that is used if no database is given; its folder is created."""
    return data_folder() / "settings.db"


def data_folder() -> Path:
    """Return the user's data folder, which is created.

    Raises:
        click.ClickException: There is none, as for a user without a home directory, or it cannot be created.
    """
    from platformdirs import user_data_path

    try:
        return user_data_path("heksherlite", appauthor=False, ensure_exists=True)
    except (OSError, RuntimeError) as error:
        raise click.ClickException(
            f"there is no data folder for this user ({error}); set XDG_DATA_HOME, or name each file by its option,"
            " such as --database sqlite:////var/lib/heksherlite/settings.db"
        ) from error
