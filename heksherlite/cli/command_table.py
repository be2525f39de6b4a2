"""The commands of ``heksherlite``, so that they can be listed without importing them."""

from typing import Final, NamedTuple

SUMMARY: Final = "Settings whose values depend on context and change while a program runs."


class CommandEntry(NamedTuple):
    """A command.

    Attributes:
        module: The module in `heksherlite.cli` that has it.
        extra: The extra that installs what it needs.
        summary: What it does, as the list of commands says it.
    """

    module: str
    extra: str
    summary: str


SECTIONS: Final = {
    "Settings": {
        "settings": CommandEntry("settings", "cli", "List, show and change settings."),
        "get": CommandEntry("values", "cli", "Print the value of the setting NAME in a context."),
        "explain": CommandEntry("values", "cli", "Explain why the setting NAME has its value in a context."),
        "rules": CommandEntry("rule_commands", "cli", "Look at rules, and delete them by ID."),
        "set": CommandEntry("rule_commands", "cli", "Give the setting NAME a VALUE in some contexts."),
        "unset": CommandEntry(
            "rule_commands", "cli", "Delete the rule of the setting NAME that has exactly these conditions."
        ),
        "edit": CommandEntry("editing", "cli", "Edit the default and the rules of the setting NAME in an editor."),
        "history": CommandEntry("records", "cli", "Look at what was changed, by whom, and why."),
        "revert": CommandEntry("records", "cli", "Revert all changes of a REVISION with a new change."),
        "watch": CommandEntry(
            "watching", "cli", "Print changes as they happen: of the settings with these NAMES, or of everything."
        ),
        "diff": CommandEntry("comparing", "cli", "Show what differs between A and B."),
        "check": CommandEntry("check", "cli", "Compare the settings of a program with a service, and declare nothing."),
        "proposals": CommandEntry("proposals", "cli", "Propose changes, and decide about those of others."),
        "schema": CommandEntry("schema", "cli", "Show the JSON Schema of the values of a setting."),
    },
    "Settings in a repository": {
        "validate": CommandEntry("repository", "cli", "Check files with settings, and report all faults at once."),
        "plan": CommandEntry("repository", "cli", "Show what heksherlite apply would do, and change nothing."),
        "apply": CommandEntry("repository", "cli", "Make the settings of a service those of the files, in one change."),
        "dump": CommandEntry(
            "dumping", "cli", "Write a file with the settings of a service, so that a repository can begin with it."
        ),
    },
    "The service and who may use it": {
        "serve": CommandEntry("serve", "service", "Run the service."),
        "export": CommandEntry("export", "service", "Export a database or a service, or take a snapshot of a service."),
        "import": CommandEntry("importing", "service", "Import an export, or copy another service."),
        "audit": CommandEntry("audit", "service", "Export the audit record as JSON lines, oldest first."),
        "token": CommandEntry("token", "service", "Create, list and revoke tokens."),
        "app": CommandEntry("app", "service", "Approve, invite, list and revoke applications."),
        "group": CommandEntry("group", "service", "Edit configuration groups and their secrets."),
        "declarer": CommandEntry("declarer", "service", "List, add and remove the declarers of a setting."),
        "rekey": CommandEntry("rekey", "service", "Encrypt the secrets in a database with the first secrets key."),
    },
    "Start-up configuration": {
        "facts": CommandEntry("facts", "cli", "Show and check the start-up configuration of a program."),
        "login": CommandEntry("login", "login", "Keep the token of an application after approval on a page."),
        "whoami": CommandEntry("login", "login", "Show which application's facts are stored, without values."),
        "logout": CommandEntry("login", "login", "Delete the stored facts, and the token that was kept with them."),
        "discover": CommandEntry("beacons", "login", "List the endpoints that are announced on the local network."),
        "beacon": CommandEntry("beacons", "login", "Announce an endpoint on the local network."),
    },
    "Profiles and shells": {
        "profile": CommandEntry("profile", "cli", "Keep the URLs and tokens of services under names."),
        "completion": CommandEntry(
            "shells",
            "cli",
            "Print the script with which a SHELL completes commands, options, and the names of settings and profiles.",
        ),
    },
}
"""The commands, in the sections and the order in which the help lists them."""

COMMANDS: Final = {name: entry for section in SECTIONS.values() for name, entry in section.items()}
