"""Which settings the tests of a run read."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from heksherlite.setting import existing_settings, find_setting
from heksherlite.testing.layers import add_record


class Report:
    """Counts the reads of all settings from now on."""

    def __init__(self) -> None:
        self._reads: Counter[str] = Counter()
        self._others: Counter[str] = Counter()
        self._unread: set[str] = set()
        self.stop = add_record(self._record)

    def _record(self, name: str, value: Any) -> None:
        self._reads[name] += 1
        if value != find_setting(name).default_value:
            self._others[name] += 1

    def as_json(self) -> dict[str, Any]:
        """Return what was counted."""
        names = {setting.name for setting in existing_settings()}
        return {"reads": dict(self._reads), "others": dict(self._others), "unread": sorted(names - self._reads.keys())}

    def add(self, counted: dict[str, Any]) -> None:
        """Add what another process counted."""
        self._reads.update(counted["reads"])
        self._others.update(counted["others"])
        self._unread.update(counted["unread"])

    def lines(self) -> Iterator[str]:
        """Yield the lines of the report."""
        unread = (self._unread | set(self.as_json()["unread"])) - self._reads.keys()
        only_default = self._reads.keys() - self._others.keys()
        yield f"the tests read {len(self._reads)} of {len(self._reads) + len(unread)} settings"
        for what, names in (
            ("with different values", self._others.keys()),
            ("only with the default", only_default),
            ("never read", unread),
        ):
            for name in sorted(names):
                reads = (
                    f" ({self._reads[name]} reads, {self._others[name]} of other values)" if self._reads[name] else ""
                )
                yield f"{what}: {name}{reads}"
