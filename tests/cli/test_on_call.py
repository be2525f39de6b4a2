"""What made a person on call stop and think is said in the message."""

import os
import subprocess
import sys
from pathlib import Path

from tests.cli.terminal import Terminal


def test_groups_list_their_commands_with_whole_sentences(terminal: Terminal) -> None:
    """The help of a group does not shorten what it says about a command."""
    for group in ("settings", "proposals", "group", "app"):
        shown = terminal.run(group, "--help")
        assert "..." not in shown.partition("Commands:")[2]
    assert "Set the operator's default of the setting NAME: its value" in terminal.run("settings", "--help")


def test_a_condition_on_an_unknown_feature_names_the_known_ones(terminal: Terminal) -> None:
    """Which context features a setting has is in the error."""
    refused = terminal.refused("set", "cache_ttl", "5", "--where", "usr=john", "--yes")
    assert "is not configurable by ['usr']; its configurable features are ['environment', 'user']" in refused
    assert "; did you mean 'user'?" in refused


def test_a_misspelled_command_names_the_right_one(terminal: Terminal) -> None:
    """Also at the top, where commands are not imported before they are used."""
    assert "No such command 'gett'. Did you mean 'get'?" in terminal.refused("gett", "cache_ttl", status=2)
    assert "No such command 'qqq'.\n" in terminal.refused("qqq", status=2)


def test_spaces_beside_commas_are_no_part_of_a_name(terminal: Terminal) -> None:
    """People write a list with spaces. What cannot be the name of a context feature is refused as wrong usage."""
    spaced = ("explain", "cache_ttl", "--context", "user=john, environment=dev")
    assert terminal.run(*spaced) == terminal.run("explain", "cache_ttl", "--context", "user=john,environment=dev")
    refused = terminal.refused("get", "cache_ttl", "--context", "us er=john", status=2)
    assert "expected FEATURE=VALUE, such as user=john, not 'us er=john'" in refused


def test_no_colours_where_nobody_wants_them(terminal: Terminal) -> None:
    """The variable NO_COLOR applies on a terminal."""
    words = ("set", "cache_ttl", "5", "--where", "user=john")
    assert b"\x1b[" in terminal.on_a_terminal(*words, answer=b"n\n")[1]
    assert b"\x1b[" not in terminal.on_a_terminal(*words, answer=b"n\n", NO_COLOR="1")[1]


def test_arguments_that_are_no_text(terminal: Terminal) -> None:
    """A byte that the locale does not know is wrong usage, in whatever argument it is."""
    for words in (("get", "cache_ttl\udcff"), ("set", "cache_ttl", "5", "--where", "user=\udcff"), ("\udcff",)):
        refused = terminal.refused(*words, status=2)
        assert "\\udcff' is not text in " in refused


def test_a_full_disk_behind_the_output(terminal: Terminal) -> None:
    """The message says that the output is incomplete."""
    command = [sys.executable, "-m", "heksherlite", "settings", "list"]
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, env={**os.environ, **terminal.variables}, check=False
        )
    assert ended.returncode == 1
    assert ended.stderr == b"Error: the output cannot be written: no space is left on the device\n"


def test_a_token_from_a_pipe(terminal: Terminal) -> None:
    """Where there is no terminal to ask on, the token is a line of the standard input, and nothing else is shown."""
    command = [sys.executable, "-m", "heksherlite", "profile", "add", "piped", terminal.api.url, "--token"]
    environment = {**os.environ, **terminal.variables}
    ended = subprocess.run(command, input=b"hkl_piped\n", capture_output=True, env=environment, check=True)
    assert (ended.stdout.partition(b" ")[0], ended.stderr) == (b"Added", b"")
    profiles = Path(terminal.variables["XDG_CONFIG_HOME"], "heksherlite", "profiles.json").read_text("utf-8")
    assert "hkl_piped" in profiles
    terminal.run("profile", "remove", "piped")
    ended = subprocess.run(command, input=b"", capture_output=True, env=environment, check=False)
    assert ended.returncode == 2
    assert b"There is no terminal to ask on; write the value of --token to the standard input." in ended.stderr


def test_a_time_before_there_was_anything(terminal: Terminal) -> None:
    """An explanation as of a revision without context features says so."""
    refused = terminal.refused("explain", "cache_ttl", "--context", "user=john", "--at", "0")
    assert "'user' is not a context feature; then, the service had none" in refused


def test_times_in_the_wrong_order(terminal: Terminal) -> None:
    """The message is that of the service, without the words of a library."""
    words = ["set", "cache_ttl", "5", "--where", "user=john", "--from", "2h", "--until", "1h", "--yes"]
    refused = terminal.refused(*words)
    assert "operations[0]: ends_at must be after starts_at" in refused
    assert "Value error" not in refused


def test_no_database_names_the_other_way(terminal: Terminal, tmp_path: str) -> None:
    """Commands that work on a database by default say that they work on a service, too."""
    refused = terminal.refused("token", "list", "--database", f"sqlite:///{tmp_path}/none.db")
    assert "by --database, or the service itself by --url" in refused
