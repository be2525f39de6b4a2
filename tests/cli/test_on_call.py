"""What made a person on call stop and think is said in the message."""

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
