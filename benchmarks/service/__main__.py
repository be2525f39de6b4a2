"""What the service takes: queries, writes, very many rules, and replicas; each beside its target."""

import argparse
import json
import sys
from dataclasses import asdict
from functools import partial
from pathlib import Path

from benchmarks.machine import machine
from benchmarks.service.changes import changes
from benchmarks.service.databases import postgresql
from benchmarks.service.facts import facts
from benchmarks.service.files import files
from benchmarks.service.ofrep import ofrep
from benchmarks.service.quotas import quotas
from benchmarks.service.reads import reads
from benchmarks.service.removal import removal
from benchmarks.service.size import size
from benchmarks.service.sizes import QUICK, Sizes
from benchmarks.service.streams import streams
from benchmarks.service.writes import replicas, writes
from benchmarks.table import table


def main() -> None:
    """Run the benchmarks, print a table, and write the results into a file if that is asked for."""
    parser = argparse.ArgumentParser(prog="python benchmarks/service/run.py", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the smallest sizes, to see that it runs")
    parser.add_argument(
        "--only",
        metavar="GROUPS",
        default="reads,ofrep,quotas,writes,changes,replicas,size,removal,streams,facts,files",
        help="some of %(default)s",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all samples into a file")
    arguments = parser.parse_args()
    sizes = QUICK if arguments.quick else Sizes()
    with postgresql() as server:
        groups = {
            "reads": partial(reads, sizes),
            "ofrep": partial(ofrep, sizes),
            "quotas": partial(quotas, sizes),
            "writes": partial(writes, sizes, server),
            "changes": partial(changes, sizes, server),
            "replicas": partial(replicas, sizes, server),
            "size": partial(size, sizes, server),
            "streams": partial(streams, sizes),
            "facts": partial(facts, sizes),
            "files": partial(files, sizes),
            "removal": partial(removal, sizes, server),
        }
        names = arguments.only.split(",")
        if unknown := set(names) - groups.keys():
            parser.error(f"unknown groups: {', '.join(sorted(unknown))}")
        rows = [row for name in names for row in groups[name]()]
    print(f"{machine(Path(sys.executable))}\n\n{table(rows)}")
    if arguments.json is not None:
        arguments.json.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n", "utf-8")


main()
