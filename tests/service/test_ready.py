"""``/api/ready``, for load balancers."""

from pathlib import Path

import pytest

from tests.service.in_process import Application, with_application
from tests.service.stores import following
from tests.service.tokens import WITH_TOKENS
from tests.waiting import until_async

READY = {"ready": True, "reasons": [], "database": "reachable"}


def test_a_service_that_responds_is_ready(tmp_path: Path) -> None:
    """Ready is 200 for everybody, also if the service requires tokens."""

    async def look(made: Application) -> None:
        response = await made.http.get("/api/ready", headers={"Authorization": "Bearer nonsense"})
        assert (response.status_code, response.json()) == (200, READY)

    with_application(tmp_path, look, access=WITH_TOKENS)


def test_a_service_that_stops_is_not_ready(tmp_path: Path) -> None:
    """As soon as the service stops, ready is 503."""

    async def look(made: Application) -> None:
        made.app.state.context.streams.close()
        response = await made.http.get("/api/ready")
        assert response.status_code == 503
        assert response.json() == {**READY, "ready": False, "reasons": ["the service is stopping"]}

    with_application(tmp_path, look)


def test_a_service_without_its_database_is_ready(tmp_path: Path) -> None:
    """A service without its database is ready, because it serves reads from memory."""
    path, away = tmp_path / "in_process.db", tmp_path / "away.db"

    async def look(made: Application) -> None:
        async with following(made.store):
            path.rename(away)
            await until_async(lambda: not made.store.available)
            response = await made.http.get("/api/ready")
            assert (response.status_code, response.json()) == (200, {**READY, "database": "unreachable"})
            assert (await made.http.get("/api/health")).status_code == 500
            away.rename(path)
            await until_async(lambda: made.store.available)
        assert (await made.http.get("/api/ready")).json() == READY

    with_application(tmp_path, look)


def test_a_replica_that_does_not_keep_up_is_not_ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A replica that can reach its database but has not read it for long is 503."""

    async def look(made: Application) -> None:
        monkeypatch.setattr(made.store, "newest_at", made.store.newest_at - 3600)
        response = await made.http.get("/api/ready")
        assert response.status_code == 503
        assert "was last known to be the newest 36" in response.json()["reasons"][0]
        async with following(made.store):
            await until_async(lambda: made.store.lag < 3600)
        assert (await made.http.get("/api/ready")).json() == READY

    with_application(tmp_path, look)
