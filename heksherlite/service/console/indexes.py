"""The index of the service that a request was sent to."""

from fastapi import Request

from heksherlite.service.console.index import Index


def index_of(request: Request) -> Index:
    """Return the index of the service that a request was sent to. It is made when it is needed first."""
    state = request.app.state
    if not hasattr(state, "console_index"):
        state.console_index = Index()
    index: Index = state.console_index
    return index
