"""All routes of the service, for tests that must cover each one."""

import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

from fastapi.routing import iter_route_contexts

from heksherlite.service.api.authorizer import RequiredScope
from heksherlite.service.api.routes import ServiceRoute
from heksherlite.service.app import create_app
from heksherlite.service.storage.sqlite import SqliteDatabase
from heksherlite.service.storage.store import Store


class Call(NamedTuple):
    method: str
    path: str
    required: RequiredScope
    documented: bool

    def example_path(self, name: str = "environment") -> str:
        """Return the path with a value for each parameter: a name, a key or a number."""
        values = {"name": name, "key": "k", "kind": "token", "declarer_id": "a"}
        return re.sub(r"\{(\w+)\}", lambda match: values.get(match[1], "1"), self.path)


@cache
def all_calls() -> tuple[Call, ...]:
    app = create_app(Store(SqliteDatabase(Path("unopened.db"))))
    calls = []
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        assert isinstance(route, ServiceRoute)
        assert context.path is not None
        assert context.methods
        calls += [
            Call(method, context.path, route.required, route.include_in_schema) for method in sorted(context.methods)
        ]
    return tuple(calls)
