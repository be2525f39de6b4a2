"""The application: the API over one store."""

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError

from heksherlite._version import __version__
from heksherlite.service.api import context_features, declarations, health, query, rules, settings, stream
from heksherlite.service.api.bodies import MAX_BODY_BYTES, BodyMiddleware
from heksherlite.service.api.responses import answer_domain_error, answer_invalid, answer_unavailable
from heksherlite.service.api.streams import Streams
from heksherlite.service.domain.errors import DomainError
from heksherlite.service.domain.query import AnswerBuilder
from heksherlite.service.storage.database import DatabaseUnavailableError
from heksherlite.service.storage.store import Store


def create_app(store: Store, *, max_body_bytes: int = MAX_BODY_BYTES) -> FastAPI:
    """Return the ASGI application that serves a store.

    Args:
        store: Loaded; whoever loaded it keeps it up to date and closes its database.
        max_body_bytes: How large a request's body may be.
    """
    app = FastAPI(title="heksherlite", version=__version__)
    app.state.store = store
    app.state.answers = AnswerBuilder()
    app.state.streams = Streams(store.catalog)
    store.on_replaced = app.state.streams.publish
    app.add_middleware(BodyMiddleware, max_bytes=max_body_bytes)
    app.add_exception_handler(DomainError, answer_domain_error)
    app.add_exception_handler(RequestValidationError, answer_invalid)
    app.add_exception_handler(DatabaseUnavailableError, answer_unavailable)
    for resource in (health, query, stream, context_features, declarations, settings, rules):
        app.include_router(resource.router)
    return app
