"""The calls that export and import all settings and rules. No I/O."""

from collections.abc import Callable
from dataclasses import replace as with_fields
from functools import partial
from typing import Any

from heksherlite.admin import reading
from heksherlite.admin.downloads import ExportDownload
from heksherlite.admin.requests import Call, Moment, flag_text, moment_text, request_to
from heksherlite.admin.results import ImportResult
from heksherlite.engine.protocol import LINES
from heksherlite.http.transfers import ReadableFile


def export(*, at: Moment | None = None) -> Call[bytes]:
    """Return all settings and rules as of one revision, in the lines that ``heksherlite import`` reads.

    Args:
        at: The time or revision. None: now.

    Raises:
        RequestRefusedError: There is no such revision or time (status 404 or 400).
        AdminError: There is no answer, or the request is refused for another reason.
    """
    params = {"at": moment_text(at)}
    return Call(request_to("GET", "export", None, params, repeatable=True), reading.export_lines)


def download_export(take: Callable[[bytes], object], *, at: Moment | None = None) -> Call[None]:
    """Pass an export of all settings and rules to a function, piece by piece, so that there may be any number.

    Args:
        take: Called with each piece of the lines that ``heksherlite import`` reads: by :class:`AdminClient`, in another
            thread. An exception that it raises ends the download.
        at: The time or revision. None: now.

    Raises:
        RequestRefusedError: There is no such revision or time (status 404 or 400).
        ServiceResponseError: The response is something else, or was cut off.
        AdminError: There is no answer, or the request is refused for another reason.
    """
    request, download = export(at=at).request, ExportDownload(take)
    return Call(request, lambda _: download.require_end(request), download=download)


def import_export(
    file: ReadableFile,
    *,
    replace: bool = False,
    dry_run: bool = False,
    break_glass: bool = False,
    block_writes: bool = False,
    base_revision: str | None = None,
    reason: str | None = None,
) -> Call[ImportResult]:
    """Store the settings, rules and context features of an export, all of them or none, as one change.

    It is sent piece by piece, so there may be any number. This needs a token with the scope ``admin`` and no setting
    prefix.

    Args:
        file: The export, such as :meth:`~AdminClient.download_export` returns it. It is read to its end, in another
            thread.
        replace: Whether to delete the existing settings and rules first. Without it, there must be none.
        dry_run: Whether to check the export, and change nothing.
        break_glass: Whether to delete protected settings in an emergency. It requires a reason.
        block_writes: Whether the import may keep others from writing for longer than 5 seconds. They wait for 8
            seconds, and are then refused with status 503.
        base_revision: The name of the revision that the author looked at, such as the one of a dry run. If there is a
            newer one, it is a conflict. None: no conflict.
        reason: The reason, for the history.

    Raises:
        ChangeConflictsError: There are settings, it takes too long, or there is a newer revision.
        RequestRefusedError: The export is malformed (status 422).
        AdminError: There is no answer, or the request is refused for another reason.
    """
    flags = {"replace": replace, "dry_run": dry_run, "break_glass": break_glass, "block_writes": block_writes}
    params = {**{name: flag_text(value) for name, value in flags.items()}, "base_revision": base_revision}
    request = request_to("POST", "import", None, params, repeatable=dry_run)
    headers = {"Content-Type": LINES, **request.headers}
    if reason is not None:
        headers["X-Change-Reason"] = " ".join(reason.split())
    return Call(with_fields(request, headers=headers), partial(reading.read_json, read=_import_result), file=file)


def _import_result(shown: Any) -> ImportResult:
    return ImportResult(
        settings=int(shown["settings"]),
        rules=int(shown["rules"]),
        revision=int(shown["revision"]),
        revision_name=str(shown["revision_name"]),
    )
