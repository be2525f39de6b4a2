"""The file format of exports: writing a catalog as lines, and reading them back; see ``docs/operators/service.md``."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final, NoReturn

import orjson
from pydantic import ValidationError

from heksherlite.service.domain.catalog import Catalog
from heksherlite.service.domain.entities import Rule, Setting
from heksherlite.service.domain.importer import Importer
from heksherlite.service.domain.json_values import require_encodable
from heksherlite.service.domain.lineage import RevisionId
from heksherlite.service.domain.snapshots import of_rule, of_setting
from heksherlite.service.errors import ExportError
from heksherlite.service.transfer.records import End, Header, RuleRecord, SettingRecord

MEDIA_TYPE: Final = "application/x-ndjson"

_FORMAT: Final = "heksherlite-export"
_VERSION: Final = 1
_SNAPSHOT: Final = b'{"format":"heksherlite-snapshot"'


def lines_of(catalog: Catalog) -> Iterator[bytes]:
    """Yield the lines of all settings by name, each followed by its rules by id, served or not."""
    yield header_line(catalog.context_features)
    for entry in sorted(catalog.entries.values(), key=lambda entry: entry.setting.name):
        # Declarers are tokens and applications of this database. Those of another one could have the same ids.
        yield line({"setting": of_setting(replace(entry.setting, declarers=frozenset()))})
        for rule in entry.rules.values():
            yield line({"rule": {"rule_id": rule.id, **of_rule(rule)}})
    yield end_line(len(catalog.entries), len(catalog.rules), catalog.counters.last_rule_id)


def header_line(context_features: Sequence[str]) -> bytes:
    """Return the first line."""
    return line({"format": _FORMAT, "version": _VERSION, "context_features": context_features})


def end_line(settings: int, rules: int, last_rule_id: int) -> bytes:
    """Return the last line: the numbers of settings and rules, and the highest id that a rule ever had."""
    return line({"end": {"settings": settings, "rules": rules, "last_rule_id": last_rule_id}})


def line(data: dict[str, Any]) -> bytes:
    """Return JSON in a line."""
    return orjson.dumps(data, option=orjson.OPT_APPEND_NEWLINE)


class ExportReader:
    """Reads the lines of an export, once.

    Args:
        lines: The lines. The first one is read immediately.

    Attributes:
        context_features: The context features in their order.
        last_rule_id: The highest id that a rule ever had; known at the end.
        settings: How many settings there were so far.
        rules: How many rules there were so far.

    Raises:
        ExportError: The first line is not that of an export.
    """

    def __init__(self, lines: Iterable[bytes]) -> None:
        self._lines = iter(lines)
        self._line = 0
        self._subject = ""
        self._setting_name = ""
        self.settings = 0
        self.rules = 0
        header = self._header(next(self._lines, b""))
        self.context_features = tuple(header.context_features)
        self.last_rule_id = 0

    def read(self, *, last_setting_id: int, revision: RevisionId) -> Iterator[Setting | Rule]:
        """Yield the settings, each followed by its rules.

        Args:
            last_setting_id: The highest id of a setting that is taken.
            revision: The revision that they come with.

        Raises:
            ExportError: A line is malformed, or contradicts others.
        """
        importer = Importer(self.context_features, last_setting_id=last_setting_id, revision=revision)
        for text in self._lines:
            self._line += 1
            data = self._object(text)
            if "rule" in data:
                yield self._rule(importer, data)
            elif "setting" in data:
                yield self._setting(importer, data)
            elif "end" in data:
                self._end(importer, data)
                return
            else:
                self._refuse("expected a setting, a rule or the end")
        self._line += 1
        self._refuse("the file was cut off: it has no end")

    def _header(self, text: bytes) -> Header:
        self._line = 1
        if text.startswith(_SNAPSHOT):
            self._refuse(
                "this is a snapshot, from which programs start without a service, and does not have all that an import"
                " needs; what can be imported is the output of heksherlite export without a URL"
            )
        try:
            data = orjson.loads(text)
        except orjson.JSONDecodeError:
            data = None
        if not (isinstance(data, dict) and data.get("format") == _FORMAT):
            self._refuse("this is not what heksherlite export wrote")
        version = data.get("version")
        if isinstance(version, int) and version > _VERSION:
            self._refuse(f"a newer heksherlite wrote this: version {version}, and this one reads {_VERSION}")
        with self._refusing():
            return Header.model_validate(data)

    def _object(self, text: bytes) -> dict[str, Any]:
        try:
            data = orjson.loads(text)
            require_encodable(data)
        except orjson.JSONDecodeError as error:
            self._refuse(f"not JSON, or cut off: {error}")
        except ValueError as error:
            self._refuse(str(error))
        if not (isinstance(data, dict) and len(data) == 1):
            self._refuse("expected an object with one member: setting, rule or end")
        return data

    def _setting(self, importer: Importer, data: dict[str, Any]) -> Setting:
        name = _member(data["setting"], "name")
        self._subject = f"setting {name!r:.100}: "
        with self._refusing():
            fields = dict(SettingRecord.model_validate(data["setting"]))
            setting = importer.setting(schema=fields.pop("json_schema"), **fields)
        self._setting_name = setting.name
        self.settings += 1
        return setting

    def _rule(self, importer: Importer, data: dict[str, Any]) -> Rule:
        rule_id = _member(data["rule"], "rule_id")
        self._subject = f"rule {rule_id!r:.30} of setting {self._setting_name!r}: "
        with self._refusing():
            record = RuleRecord.model_validate(data["rule"])
            rule = importer.rule(
                rule_id=record.rule_id,
                feature_values=record.feature_values,
                value=record.value,
                metadata=record.metadata,
                schedule=record.schedule(),
            )
        self.rules += 1
        return rule

    def _end(self, importer: Importer, data: dict[str, Any]) -> None:
        self._subject = ""
        with self._refusing():
            end = End.model_validate(data["end"])
        if (end.settings, end.rules) != (self.settings, self.rules):
            self._refuse(
                f"there should be {end.settings} settings and {end.rules} rules before it,"
                f" and there are {self.settings} and {self.rules}"
            )
        if end.last_rule_id < importer.last_rule_id:
            self._refuse(f"last_rule_id is {end.last_rule_id}, and there is a rule {importer.last_rule_id}")
        self.last_rule_id = end.last_rule_id
        if next(self._lines, None) is not None:
            self._line += 1
            self._refuse("there is something behind the end")

    @contextmanager
    def _refusing(self) -> Iterator[None]:
        try:
            yield
        except ValidationError as error:
            (problem, *_) = error.errors(include_url=False, include_input=False)
            place = "".join(f"{part}: " for part in problem["loc"])
            self._refuse(f"{self._subject}{place}{problem['msg'].removeprefix('Value error, ')}")
        except ValueError as error:
            self._refuse(f"{self._subject}{error}")

    def _refuse(self, reason: str) -> NoReturn:
        raise ExportError(self._line, reason)


def _member(data: Any, name: str) -> Any:
    return data.get(name) if isinstance(data, dict) else None
