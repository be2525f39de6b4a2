"""The comparison, from the first release of a program to the renaming of its settings."""

# ruff: noqa: T201 - it prints what it finds
import random
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial

import httpx

from heksherlite.service import embedded
from tests.interop.comparison import Comparison, Programs
from tests.interop.differences import compare_differences
from tests.interop.environment import SDK, NotInstallableError
from tests.interop.loader import compare_loader
from tests.interop.scenario import (
    FEATURES,
    FIRST_RELEASE,
    RENAMED_RELEASE,
    SECOND_RELEASE,
    STRAY_RELEASE,
    THREE_FEATURES,
    Declared,
    all_contexts,
    some_rules,
)

_UPGRADED = {setting.name for setting in SECOND_RELEASE}
"""What the first release sees of these is compared, but where it does not know a type there is no plain definition."""


class Operator:
    """Makes rules through the HTTP API."""

    def __init__(self, api: httpx.Client) -> None:
        self._api = api
        self._chance = random.Random(22)  # noqa: S311 - the same rules in each run
        self.rules: dict[int, Declared] = {}

    def add_rules(self, settings: Sequence[Declared]) -> None:
        for setting in settings:
            for conditions, value in some_rules(setting, self._chance):
                body = {"setting": setting.name, "feature_values": conditions, "value": value}
                response = self._api.post("/api/v1/rules", json=body)
                if response.status_code == 409:  # an earlier release had that rule
                    continue
                self.rules[response.raise_for_status().json()["rule_id"]] = setting

    def change_rules(self) -> None:
        """Delete some rules, and change the values of others."""
        for rule_id, setting in list(self.rules.items()):
            match self._chance.randrange(4):
                case 0:
                    self._api.delete(f"/api/v1/rules/{rule_id}").raise_for_status()
                    del self.rules[rule_id]
                case 1:
                    body = {"value": self._chance.choice(setting.values)}
                    self._api.put(f"/api/v1/rules/{rule_id}/value", json=body).raise_for_status()


class Story:
    """The releases of a program, run in sequence and concurrently while an operator changes rules.

    Args:
        stack: Ends the programs.
        comparison: Keeps the score.
        url: The service.
    """

    def __init__(self, stack: ExitStack, comparison: Comparison, url: str) -> None:
        self._comparison = comparison
        self._operator = Operator(stack.enter_context(httpx.Client(base_url=url)))
        self._programs = partial(Programs, stack, comparison, url)
        self._first = self._programs()
        self._contexts = all_contexts(FIRST_RELEASE)

    def tell(self) -> None:
        """Compare from the first declaration to the renaming of settings."""
        self._first_release()
        self._defaults()
        self._second_release()
        self._outdated_release()
        self._stray_release()
        self._renamed_release()
        self._first.close()

    def _first_release(self) -> None:
        comparison, first, contexts = self._comparison, self._first, self._contexts
        comparison.begin("first release: declarations of every type")
        first.start(FIRST_RELEASE, declare_first=0.5)
        comparison.settings_lists(first)
        first.reload(FIRST_RELEASE)
        comparison.values(first, contexts)

        comparison.begin("rules")
        self._operator.add_rules(FIRST_RELEASE)
        first.reload(FIRST_RELEASE, changed=True)
        comparison.values(first, contexts)

        comparison.begin("nothing new: 304")
        first.reload(FIRST_RELEASE, changed=False)
        comparison.values(first, contexts)

        comparison.begin("rules changed and deleted")
        self._operator.change_rules()
        first.reload(FIRST_RELEASE, changed=True)
        comparison.values(first, contexts)

    def _defaults(self) -> None:
        self._comparison.begin("constants and context variables for what get leaves out")
        for theme in ("dark", "light", "blue"):
            self._first.ask("assign", theme=theme)
            constants = {"environment": "dev", "theme": theme}
            self._comparison.defaulted_values(self._first, self._contexts, constants=constants)
        self._comparison.refusals(self._first, self._contexts)

    def _second_release(self) -> None:
        comparison = self._comparison
        comparison.begin("second release: upgrades, beside the first one")
        second = self._programs()
        second.start(SECOND_RELEASE, declare_first=0.7)
        self._operator.add_rules(SECOND_RELEASE)
        second.reload(SECOND_RELEASE)
        comparison.values(second, all_contexts(SECOND_RELEASE))
        comparison.settings_lists(second)
        second.close()
        self._first.reload(FIRST_RELEASE, changed=True)
        comparison.values(self._first, self._contexts, undefined=_UPGRADED)

    def _outdated_release(self) -> None:
        self._comparison.begin("the first release starts again: outdated declarations")
        outdated = self._programs()
        outdated.start(FIRST_RELEASE, declare_first=0.5)
        outdated.reload(FIRST_RELEASE)
        self._comparison.values(outdated, self._contexts, undefined=_UPGRADED)
        outdated.close()

    def _stray_release(self) -> None:
        self._comparison.begin("declarations that are refused")
        stray = self._programs()
        stray.start(STRAY_RELEASE, declare_first=1.0, conflicts=3)
        stray.reload(STRAY_RELEASE)
        self._comparison.values(stray, all_contexts(STRAY_RELEASE), undefined={"ports"})
        stray.close()

    def _renamed_release(self) -> None:
        comparison = self._comparison
        comparison.begin("settings renamed")
        renamed = self._programs()
        renamed.start(RENAMED_RELEASE, declare_first=0.5)
        renamed.reload(RENAMED_RELEASE)
        comparison.values(renamed, all_contexts(RENAMED_RELEASE))
        self._operator.add_rules(RENAMED_RELEASE)
        renamed.reload(RENAMED_RELEASE)
        comparison.values(renamed, all_contexts(RENAMED_RELEASE))
        renamed.close()
        # The original cannot update any more once the service renamed one of its settings; ours must.
        self._first.reload(FIRST_RELEASE, only="our")
        names = {setting.alias: setting.name for setting in RENAMED_RELEASE if setting.alias}
        old = [context for context in self._contexts if context[0] in names]
        comparison.values_of_ours(self._first, old, canonical=names)


def compare_sdk() -> int:
    """Compare the SDKs, print what was compared, and return the exit code.

    Raises:
        NotInstallableError: The original cannot be had here.
    """
    original = SDK.python()
    with ExitStack() as stack:
        service = stack.enter_context(embedded(context_features=FEATURES))
        comparison = Comparison(original, service.url, three_features=THREE_FEATURES)
        Story(stack, comparison, service.url).tell()
    return comparison.report()


def main() -> int:
    """Compare the SDKs and the loaders of grants, and return the exit code."""
    try:
        exit_code = compare_sdk()
        compare_loader()
        compare_differences()
    except NotInstallableError as error:
        print(f"An original does not install here:\n{error}")
        if sys.version_info >= (3, 12):
            print("SKIPPED: that is no surprise on a Python newer than 3.11.")
            return 0
        return 1
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
