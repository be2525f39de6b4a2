"""The index of the service that a request was sent to."""

from fastapi import FastAPI, Request

from heksherlite.service.console.index import Index


def index_of(request: Request) -> Index:
    """Return the index of the service that a request was sent to."""
    return index_of_app(request.app)


def index_of_app(app: FastAPI) -> Index:
    """Return the index of a service. It is made when it is needed first."""
    if not hasattr(app.state, "console_index"):
        app.state.console_index = Index()
    index: Index = app.state.console_index
    return index
