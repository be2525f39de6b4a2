"""``heksherlite profile``: services that commands know by a name."""

from __future__ import annotations

import click

from heksherlite.cli.groups import CommandGroup
from heksherlite.cli.output import FORMATS, output_option, print_rows
from heksherlite.cli.profiles import Profile, complete_profiles, read_profiles, write_profiles
from heksherlite.cli.secret_option import SecretOption


@click.group(cls=CommandGroup)
def profile() -> None:
    """Keep the URLs and tokens of services under names.

    Commands that manage settings use the current profile, or the one that --profile names. The profiles are in a file
    that only you can read, in your folder for configuration.
    """


@profile.command()
@click.argument("name")
@click.argument("url")
@click.option(
    "--token",
    cls=SecretOption,
    prompt="Token of the service",
    help="The token for the service. Without a value, the command asks for the token, or reads it from the standard"
    " input, because other users of the machine can see the list of processes.",
)
def add(name: str, url: str, token: str | None) -> None:
    """Keep the service at URL under NAME, in place of the profile that has this name."""
    from heksherlite.http.urls import split_service_url

    try:
        address, credentials = split_service_url(url)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="URL") from error
    if credentials is not None:
        raise click.BadParameter("put the token into --token instead of credentials into the URL", param_hint="URL")
    profiles = read_profiles().with_profile(name, Profile(address, token))
    write_profiles(profiles)
    current = " It is the current one." if profiles.current == name else ""
    click.echo(f"Added profile {name} for {address}.{current}")


@profile.command()
@click.argument("name", shell_complete=complete_profiles)
def use(name: str) -> None:
    """Make NAME the current profile."""
    write_profiles(read_profiles().using(name))
    click.echo(f"The current profile is {name}.")


@profile.command()
@click.argument("name", shell_complete=complete_profiles)
def remove(name: str) -> None:
    """Remove the profile NAME."""
    write_profiles(read_profiles().without(name))
    click.echo(f"Removed profile {name}.")


@profile.command(name="list")
@output_option
def list_(output: FORMATS) -> None:
    """List the profiles, without their tokens."""
    profiles = read_profiles()
    rows = [
        {
            "name": name,
            "url": each.url,
            "has_token": each.token is not None,
            "current": name == profiles.current,
        }
        for name, each in sorted(profiles.profiles.items())
    ]
    print_rows(output, rows, {"NAME": "name", "URL": "url", "TOKEN": "has_token", "CURRENT": "current"})
