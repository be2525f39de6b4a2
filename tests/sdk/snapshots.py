"""Snapshots and their files, for tests and for the programs that tests start, which import nothing else."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from heksherlite.clients.snapshot_file import SnapshotFile
from heksherlite.engine.snapshots import KeptResponse, Snapshot

SERVICE = "http://host:8888"
FEATURES = ["environment", "user"]
FILTERS = "user:*"
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def file_at(location: str | Path, service: str = SERVICE, features: Any = FEATURES) -> SnapshotFile:
    return SnapshotFile(location, service=service, context_features=features)


def snapshot_of(content: bytes = b"", service: str = SERVICE) -> Snapshot:
    return Snapshot(service, tuple(FEATURES), FILTERS, NOON, (KeptResponse(200, "text/plain", None, content),))
