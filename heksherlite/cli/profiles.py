"""Profiles: services that commands know by a name, with their tokens, in a file that only the user can read."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Final

import click
import orjson
from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_OTHERS: Final = 0o077
"""The permissions of everybody but the user."""


@dataclass(frozen=True, slots=True)
class Profile:
    """A service, and who one is there.

    Attributes:
        url: The URL of the service.
        token: The token to send, or None.
    """

    url: str
    token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Profiles:
    """All profiles of a user.

    Attributes:
        profiles: The profiles by name.
        current: The name of the one that commands use by default, or None.
    """

    profiles: Mapping[str, Profile] = field(default_factory=dict)
    current: str | None = None

    def get(self, name: str) -> Profile:
        """Return a profile.

        Raises:
            click.ClickException: There is no profile with this name.
        """
        if name not in self.profiles:
            known = ", ".join(sorted(self.profiles)) or "none"
            raise click.ClickException(
                f"there is no profile {name!r} (there are: {known}); add it with heksherlite profile add {name} URL"
            )
        return self.profiles[name]

    def with_profile(self, name: str, profile: Profile) -> Profiles:
        """Return the profiles with one more. The first one is the current one."""
        return Profiles({**self.profiles, name: profile}, self.current or name)

    def without(self, name: str) -> Profiles:
        """Return the profiles without one.

        Raises:
            click.ClickException: There is no profile with this name.
        """
        self.get(name)
        others = {other: profile for other, profile in self.profiles.items() if other != name}
        return Profiles(others, None if self.current == name else self.current)

    def using(self, name: str) -> Profiles:
        """Return the profiles with another current one.

        Raises:
            click.ClickException: There is no profile with this name.
        """
        self.get(name)
        return replace(self, current=name)


def profiles_file() -> Path:
    """Return the path of the file."""
    from platformdirs import user_config_path

    return user_config_path("heksherlite", appauthor=False) / "profiles.json"


def read_profiles() -> Profiles:
    """Return the profiles of the user, which are none if there is no file.

    Raises:
        click.ClickException: The file is malformed, or others can read it.
    """
    path = profiles_file()
    try:
        content = path.read_bytes()
        mode = path.stat().st_mode
    except FileNotFoundError:
        return Profiles()
    except OSError as error:
        raise click.ClickException(f"cannot read {path}: {error.strerror}") from error
    if mode & _OTHERS:
        raise click.ClickException(f"other users can read {path}, which contains tokens; run chmod 600 {path}")
    try:
        shown = orjson.loads(content)
        profiles = {name: Profile(**profile) for name, profile in shown["profiles"].items()}
        return Profiles(profiles, shown["current"])
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise click.ClickException(f"{path} is malformed: {error}; correct it, or delete it") from error


def write_profiles(profiles: Profiles) -> None:
    """Replace the profiles of the user.

    Raises:
        click.ClickException: The file cannot be written.
    """
    from heksherlite.atomic_file import write_private_file

    path = profiles_file()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private_file(path, [orjson.dumps(asdict(profiles), option=orjson.OPT_INDENT_2)])
    except OSError as error:
        raise click.ClickException(f"cannot write {path}: {error.strerror}") from error


def complete_profiles(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the profiles whose names begin with a text, with their URLs, for the completion of shells."""
    del context, parameter
    try:
        profiles = read_profiles().profiles
    except click.ClickException:
        return []
    return [CompletionItem(name, help=each.url) for name, each in profiles.items() if name.startswith(incomplete)]
