"""What an operator reads about an application, and chooses for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

from heksherlite.service.domain.applications import Approval
from heksherlite.service.domain.groups import Group
from heksherlite.service.domain.manifests import Manifest
from heksherlite.service.domain.tokens import Scope
from heksherlite.service.errors import BadRequestError
from heksherlite.service.pages.form import Form

IN_WORDS: Final[Mapping[str, str]] = {
    Scope.READ: "See all settings and the rules that give them their values, and hear of changes.",
    Scope.DECLARE: "Make its own settings known, with their types and defaults, as programs do when they start.",
    Scope.WRITE: "Change what settings are for everybody who uses them: add, change and delete rules.",
    Scope.ADMIN: "Change how the whole service is set up: rename and delete settings, and order context features.",
}
POWERFUL: Final = frozenset({Scope.WRITE, Scope.ADMIN})

_DEFAULT: Final = "default."


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What is chosen for an application so far.

    Attributes:
        scopes: The scopes that it gets.
        setting_prefix: How the names of the settings begin that it reaches; empty for all.
        defaults: A value for each context feature; empty for none.
        groups: The configuration groups that it gets.
        reason: Why, for the history.
    """

    scopes: frozenset[str]
    setting_prefix: str = ""
    defaults: Mapping[str, str]
    groups: frozenset[str] = frozenset()
    reason: str = ""

    @classmethod
    def at_first(cls, manifest: Manifest, context_features: Sequence[str]) -> Self:
        """Return what to begin with: all scopes that the application asks for, and nothing else."""
        return cls(scopes=frozenset(manifest.scopes), defaults=dict.fromkeys(context_features, ""))

    @classmethod
    def of_form(cls, form: Form, context_features: Sequence[str]) -> Self:
        """Return what a form says."""
        return cls(
            scopes=frozenset(form.texts("scope")),
            setting_prefix=form.text("setting_prefix"),
            defaults={feature: form.text(_DEFAULT + feature) for feature in context_features},
            groups=frozenset(form.texts("group")),
            reason=form.text("reason"),
        )

    def approval(self) -> Approval:
        """Return it as what is approved.

        Raises:
            BadRequestError: There is no such scope.
        """
        if unknown := sorted(self.scopes.difference(Scope)):
            raise BadRequestError(f"there is no scope {unknown[0][:100]!r}")
        return Approval(
            scopes=frozenset(map(Scope, self.scopes)),
            setting_prefix=self.setting_prefix,
            defaults={feature: value for feature, value in self.defaults.items() if value},
            groups=tuple(sorted(self.groups)),
        )


def known_scopes(manifest: Manifest) -> Sequence[Scope]:
    """Return the scopes that an application asks for and that there are, the most harmless first."""
    return [scope for scope in Scope if scope in manifest.scopes]


def unknown_scopes(manifest: Manifest) -> Sequence[str]:
    """Return what an application asks for that does not exist here."""
    return [scope for scope in dict.fromkeys(manifest.scopes) if scope not in IN_WORDS]


def keys_of(group: Group) -> str:
    """Return what is in a group, without the values, which may be secrets."""
    return ", ".join(group.values) or "nothing"


def how_long(seconds: float) -> str:
    """Return a time span in words.

    Args:
        seconds: How long it is; clocks that are apart may make it negative.
    """
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole} second{'' if whole == 1 else 's'}"
    minutes = whole // 60
    return f"{minutes} minute{'' if minutes == 1 else 's'}"
