"""``heksherlite completion``: the script with which a shell completes commands, options and names."""

import click

SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    r"""Print the script with which a SHELL completes commands, options, and the names of settings and profiles.

    Put one line into the file that the shell reads when it starts:

    \b
    bash   ~/.bashrc                     eval "$(heksherlite completion bash)"
    zsh    ~/.zshrc                      eval "$(heksherlite completion zsh)"
    fish   ~/.config/fish/config.fish    heksherlite completion fish | source

    Names of settings and context features come from the service that the command line names.
    """
    from heksherlite.cli.commands import heksherlite
    from heksherlite.cli.completion_scripts import SCRIPTS

    click.echo(SCRIPTS[shell](heksherlite, {}, "heksherlite", "_HEKSHERLITE_COMPLETE").source())
