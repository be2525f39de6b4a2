"""The choices of an operator for an application."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

from heksherlite.service.domain.applications import Approval
from heksherlite.service.domain.groups import Group
from heksherlite.service.domain.manifests import Manifest
from heksherlite.service.domain.tokens import Scope
from heksherlite.service.errors import BadRequestError
from heksherlite.service.pages.form import Form

DESCRIPTIONS: Final[Mapping[str, str]] = {
    Scope.EVALUATE: "Evaluate the settings that are visible to browsers and phones, without reading rules.",
    Scope.READ: "Read all settings and rules, and receive their changes.",
    Scope.DECLARE: "Declare settings with their types and defaults, as programs do when they start.",
    Scope.PROPOSE: "Propose changes, which somebody else has to approve.",
    Scope.WRITE: "Change the values of settings for everybody: add, change and delete rules.",
    Scope.AUDIT: "Read the audit record, and who changed what from which address.",
    Scope.ADMIN: "Change the whole service: rename and delete settings, and reorder context features.",
}
POWERFUL: Final = frozenset({Scope.WRITE, Scope.AUDIT, Scope.ADMIN})

_DEFAULT: Final = "default."


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """The current choices for an application.

    Attributes:
        scopes: The granted scopes.
        setting_prefix: The prefix of the names of the settings that it may access; empty for all settings.
        defaults: The default value of each context feature; empty for no default.
        groups: The configuration groups that it receives.
        reason: The reason, for the history.
    """

    scopes: frozenset[str]
    setting_prefix: str = ""
    defaults: Mapping[str, str]
    groups: frozenset[str] = frozenset()
    reason: str = ""

    @classmethod
    def initial(cls, manifest: Manifest, context_features: Sequence[str]) -> Self:
        """Return the initial choices: the scope read if it is requested, because a person must choose all others."""
        return cls(
            scopes=frozenset({Scope.READ}.intersection(manifest.scopes)), defaults=dict.fromkeys(context_features, "")
        )

    @classmethod
    def of_form(cls, form: Form, context_features: Sequence[str]) -> Self:
        """Return the choices in a form."""
        return cls(
            scopes=frozenset(form.texts("scope")),
            setting_prefix=form.text("setting_prefix"),
            defaults={feature: form.text(_DEFAULT + feature) for feature in context_features},
            groups=frozenset(form.texts("group")),
            reason=form.text("reason"),
        )

    def approval(self) -> Approval:
        """Return the approval with these choices.

        Raises:
            BadRequestError: A scope does not exist.
        """
        if unknown := sorted(self.scopes.difference(Scope)):
            raise BadRequestError(f"the scope {unknown[0][:100]!r} does not exist")
        return Approval(
            scopes=frozenset(map(Scope, self.scopes)),
            setting_prefix=self.setting_prefix,
            defaults={feature: value for feature, value in self.defaults.items() if value},
            groups=tuple(sorted(self.groups)),
        )


def known_scopes(manifest: Manifest) -> Sequence[Scope]:
    """Return the requested scopes that exist, from the most harmless to the most powerful."""
    return [scope for scope in Scope if scope in manifest.scopes]


def unknown_scopes(manifest: Manifest) -> Sequence[str]:
    """Return the requested scopes that do not exist."""
    return [scope for scope in dict.fromkeys(manifest.scopes) if scope not in DESCRIPTIONS]


def keys_of(group: Group) -> str:
    """Return the keys of a group, without the values, which may be secret."""
    return ", ".join(group.values) or "nothing"


def format_duration(seconds: float) -> str:
    """Return a duration in words.

    Args:
        seconds: The duration. Clock skew may make it negative, which counts as 0.
    """
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole} second{'' if whole == 1 else 's'}"
    minutes = whole // 60
    return f"{minutes} minute{'' if minutes == 1 else 's'}"
