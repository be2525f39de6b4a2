"""When programs last declared settings, so that those that nothing uses any more are found."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime

from heksherlite.service import embedded
from heksherlite.service.storage.last_declared import INTERVAL
from tests.service.api import FEATURES, Api
from tests.service.stores import opened, run_sql

DAY = 86_400


def test_settings_that_no_program_declared_for_days_are_listed(new_database: Callable[[], str]) -> None:
    """The list has the time of the last declaration; one that was upgraded or is up to date counts as declared."""
    database = new_database()
    with embedded(database, context_features=FEATURES) as service:
        api = Api(service.url)
        with api.http:
            for name in ("old", "renamed", "fresh"):
                assert api.declare(name).status_code == 200
    old = int(time.time()) - 31 * DAY
    run_sql(database, "DELETE FROM setting_declarations", f"INSERT INTO setting_declarations VALUES (1, {old})")  # noqa: S608 - a number
    with embedded(database, context_features=FEATURES) as service:
        api = Api(service.url)
        with api.http:
            api.declare("fresh")
            api.declare("renamed_again", alias="renamed", version="1.1")
            listed = {
                days: {
                    each["name"]: each["last_declared_at"]
                    for each in api.get("settings", undeclared_for=days).json()["settings"]
                }
                for days in (0, 1, 30, 32)
            }
            assert sorted(listed[0]) == ["fresh", "old", "renamed_again"]
            shown = datetime.fromtimestamp(old, UTC).isoformat().replace("+00:00", "Z")
            assert listed[1] == listed[30] == {"old": shown}
            assert listed[32] == {}
            assert "last_declared_at" not in api.get("settings").json()["settings"][0]
            assert api.get("settings", undeclared_for=-1).status_code == 422
            assert api.call("DELETE", "settings/old").status_code == 204
    stored = run_sql(database, "SELECT declared_at FROM setting_declarations")
    assert len(stored) == 2, "they are stored when the service ends, and those of deleted settings go"


def test_times_are_stored_rarely(new_database: Callable[[], str]) -> None:
    """Programs that start again all the time cause a write per hour; a time of another service is not set back."""
    database = new_database()
    with embedded(database, context_features=FEATURES) as service:
        api = Api(service.url)
        with api.http:
            api.declare()
    run_sql(database, "DELETE FROM setting_declarations")

    async def run() -> None:
        async with opened(database) as store:
            declared, now = store.last_declared, int(time.time())
            for at, stored in ((now, now), (now + 60, now), (now + INTERVAL, now + INTERVAL)):
                declared.pending[1] = at
                assert (await declared.all())[1].timestamp() == at
                await declared.write_due()
                async with opened(database) as other:
                    assert {each: at.timestamp() for each, at in (await other.last_declared.all()).items()} == {
                        1: stored
                    }
            async with opened(database) as other:
                other.last_declared.pending = {1: now, 99: now}
                await other.last_declared.write_due()
                assert {each: at.timestamp() for each, at in (await other.last_declared.all()).items()} == {
                    1: now + INTERVAL
                }

    asyncio.run(run())
