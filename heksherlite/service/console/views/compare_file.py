"""``/console/compare/file``: what differs between this service and an export, to be copied into a draft."""

import base64
import io
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson
from fastapi import APIRouter, Request, Response

from heksherlite import operations as ops
from heksherlite.rule_sets import NO_VALUE
from heksherlite.service.api.context import Context, ReadableStore, ServiceContext
from heksherlite.service.api.operation_bodies import checked_operation
from heksherlite.service.api.routes import requires_person
from heksherlite.service.console.drafting import add_to_draft
from heksherlite.service.console.plans import plan_file
from heksherlite.service.console.rendering import redirect, render
from heksherlite.service.console.routes import ConsoleOperationsRoute
from heksherlite.service.console.showing import tooltip
from heksherlite.service.console.views.editing import may_edit_values
from heksherlite.service.domain.catalog import Catalog
from heksherlite.service.domain.entities import Entry, Rule, Setting
from heksherlite.service.domain.json_values import same_json
from heksherlite.service.domain.tokens import Scope
from heksherlite.service.errors import BadRequestError, ExportError
from heksherlite.service.pages.form import Form, read_form
from heksherlite.service.transfer.lines import ExportReader

router = APIRouter(include_in_schema=False, route_class=ConsoleOperationsRoute)

_MOST: Final = 1_000
"""The maximum number of differences that are copied at once."""

_LARGEST_TABLE: Final = 100_000
"""The size of the table of differences, in bytes."""

_LARGEST_FIELD: Final = 60_000
"""The size of the field with the operations, in characters."""

_ROW_SIZE: Final = 600
"""About how large a row is without the values, in bytes."""


@dataclass(frozen=True, slots=True)
class FileRow:
    """A difference: what the file has, what the service has, and the operation that makes the service like the file."""

    setting: str
    conditions: Mapping[str, str]
    file: Any
    here: Any
    operation: Mapping[str, Any]


@router.get("/console/compare/file")
@requires_person(Scope.READ)
async def ask_for_file(request: Request) -> Response:
    """Ask for an export."""
    return await _ask(request)


@router.post("/console/compare/file")
@requires_person(Scope.READ)
async def compare_file(request: Request, store: ReadableStore, context: Context) -> Response:
    """Show what differs between an export and the service."""
    form = await read_form(request, with_files=True)
    text = next((each for each in (*form.texts("file"), *form.texts("export")) if each.strip()), "").strip()
    if not text:
        return await _ask(request, "choose a file, or paste its content", status=422)
    catalog = store.catalog
    missing: list[str] = []
    try:
        rows = await context.changer.computed(lambda: list(_differences(catalog, text, missing)))
    except ExportError as error:
        return await _ask(request, str(error), status=422)
    copied, packed = _packed(rows[:_MOST])
    return await render(
        request,
        "compare_file",
        asked=True,
        problem="",
        rows=list(_shown(copied)),
        count=len(copied),
        operations=packed,
        missing=missing,
        has_more=len(rows) > len(copied),
    )


@router.post("/console/compare/file/copy")
@may_edit_values
async def copy_from_file(request: Request, context: Context) -> Response:
    """Take the chosen differences, or all of them, into the draft."""
    await add_to_draft(request, _chosen(await read_form(request), context))
    return redirect(request, "draft")


@router.post("/console/compare/file/plan")
@requires_person(Scope.READ)
async def download_plan(request: Request, store: ReadableStore, context: Context) -> Response:
    """Return the differences as a plan file, which can be sent to somebody else."""
    form = await read_form(request)
    revision = form.text("revision")
    if not (revision.isascii() and revision.isdigit() and len(revision) < 19):
        raise BadRequestError("the form names no revision")
    base = min(int(revision), store.catalog.counters.revision)
    return plan_file(_chosen(form, context), store.catalog, base)


def _chosen(form: Form, context: ServiceContext) -> Sequence[ops.AnyOperation]:
    """Return the operations of the rows that a form chooses.

    Raises:
        BadRequestError: It chooses none, or is malformed.
    """
    try:
        texts = _unpacked(form.text("operations"), most=context.options.limits.max_changes_size)
        chosen = texts if form.text("all") else [texts[int(row)] for row in form.texts("row")]
        operations = [checked_operation(each) for each in chosen]
    except (ValueError, IndexError, zlib.error) as error:
        raise BadRequestError("the form does not say what to copy") from error
    if not operations:
        raise BadRequestError("choose at least one row")
    return operations


def _packed(rows: Sequence[FileRow]) -> tuple[Sequence[FileRow], str]:
    """Return the rows whose operations fit into a field, at least one, and the field."""
    packed = base64.b64encode(zlib.compress(orjson.dumps([row.operation for row in rows]))).decode()
    if len(packed) <= _LARGEST_FIELD or len(rows) < 2:
        return rows, packed
    return _packed(rows[: len(rows) // 2])


def _unpacked(text: str, *, most: int) -> list[Any]:
    """Return the operations in a field.

    Args:
        text: The field.
        most: How large the operations may be, in bytes of JSON.

    Raises:
        ValueError: The field has no list of operations, or they are too large.
        zlib.error: It is not compressed.
    """
    stream = zlib.decompressobj()
    found = orjson.loads(stream.decompress(base64.b64decode(text, validate=True), most))
    if not isinstance(found, list):
        raise ValueError(text[:100])  # noqa: TRY004 - it is not of the wrong type, but has the wrong content
    return found


def _shown(rows: Iterable[FileRow]) -> Iterator[FileRow]:
    """Yield the rows that a page shows, at least one."""
    size = 0
    for row in rows:
        yield row
        size += _ROW_SIZE + sum(len(tooltip(each)) for each in (row.file, row.here) if each is not NO_VALUE)
        if size > _LARGEST_TABLE:
            return


async def _ask(request: Request, problem: str = "", *, status: int = 200) -> Response:
    nothing: dict[str, Any] = {"rows": [], "count": 0, "operations": "", "missing": [], "has_more": False}
    return await render(request, "compare_file", status=status, asked=False, problem=problem, **nothing)


def _differences(catalog: Catalog, text: str, missing: list[str]) -> Iterator[FileRow]:
    lines = io.BytesIO(text.replace("\r\n", "\n").encode() + b"\n")
    reader = ExportReader(lines)
    setting: Setting | None = None
    rules: list[Rule] = []
    for item in reader.read(last_setting_id=0, revision=catalog.counters.revision_id):
        if isinstance(item, Rule):
            rules.append(item)
            continue
        if setting is not None:
            yield from _of_setting(catalog, setting, rules, missing)
        setting, rules = item, []
    if setting is not None:
        yield from _of_setting(catalog, setting, rules, missing)


def _of_setting(catalog: Catalog, setting: Setting, rules: list[Rule], missing: list[str]) -> Iterator[FileRow]:
    number = catalog.ids_by_name.get(setting.name)
    entry: Entry | None = None if number is None else catalog.entries.get(number)
    if entry is None:
        missing.append(setting.name)
        return
    name, here = entry.setting.name, entry.setting
    if not same_json(setting.default_value, here.default_value):
        operation: ops.AnyOperation = ops.ClearDefault(setting=name)
        if setting.has_operator_default or not here.has_operator_default:
            operation = ops.SetDefault(setting=name, value=setting.default_value)
        yield _row(name, {}, setting.default_value, here.default_value, operation)
    theirs = {rule.conditions: rule for rule in rules}
    ours = {rule.conditions: rule for rule in entry.rules.values()}
    for conditions in sorted(theirs.keys() | ours.keys()):
        one, other = theirs.get(conditions), ours.get(conditions)
        if one is not None and other is not None and same_json(one.value, other.value) and _times(one) == _times(other):
            continue
        shown = dict(conditions)
        operation = ops.DeleteRule(setting=name, feature_values=shown)
        if one is not None:
            starts_at, ends_at = _times(one)
            operation = ops.PutRule(
                setting=name, feature_values=shown, value=one.value, starts_at=starts_at, ends_at=ends_at
            )
        yield _row(name, shown, _value(one), _value(other), operation)


def _row(name: str, conditions: Mapping[str, str], file: Any, here: Any, operation: ops.AnyOperation) -> FileRow:
    return FileRow(name, conditions, file, here, operation.as_json())


def _value(rule: Rule | None) -> Any:
    return NO_VALUE if rule is None else rule.value


def _times(rule: Rule) -> tuple[Any, Any]:
    return (None, None) if rule.schedule is None else (rule.schedule.starts_at, rule.schedule.ends_at)
