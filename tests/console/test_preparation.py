"""The start page and the search are prepared after the start."""

import asyncio
from functools import partial
from pathlib import Path

import pytest

from heksherlite.service.console import rendering
from heksherlite.service.console.indexes import index_of_app
from heksherlite.service.console.preparing import prepare_pages
from heksherlite.service.domain import context_features
from tests.service.in_process import Application, with_application

DECLARATION = {"name": "cache_ttl", "type": "int", "default_value": 60, "configurable_features": ["user"]}


@pytest.mark.parametrize("is_stopping", [False, True])
def test_everything_is_prepared_before_the_first_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_stopping: bool
) -> None:
    """The template, the suggestions and what searches look at are there; a service that stops prepares nothing."""

    async def prepare(made: Application) -> None:
        asked: list[str] = []
        monkeypatch.setattr("heksherlite.service.console.preparing.compile_template", asked.append)
        await made.store.write(partial(context_features.expect, expected=["user"]))
        response = await made.http.post("/api/v1/settings/declare", json=DECLARATION)
        response.raise_for_status()
        stopping = asyncio.Event()
        if is_stopping:
            stopping.set()
        await prepare_pages(made.app, delay=0, until=stopping)
        view = index_of_app(made.app).view(made.store.catalog)
        prepared = ["contents" in vars(each) for each in view.settings]
        assert prepared == [not is_stopping]
        assert ("suggestions" in vars(view)) is not is_stopping
        assert asked == ([] if is_stopping else ["macros", "frame", "settings"])
        for name in asked:
            assert rendering.compile_template(name).name == f"{name}.html"

    with_application(tmp_path, prepare)
