"""A Flask application whose prices are settings.

Run it with ``HEKSHER_URL=http://127.0.0.1:8888 gunicorn --preload flask_shop:app``.
"""

import os
import time
from collections.abc import Iterator

from flask import Flask, Request, Response, jsonify

from heksherlite import TRACK_ALL, Setting, ThreadHeksherClient
from heksherlite.integrations.flask import Heksher

discount = Setting("discount", int, ["user"], default_value=0)
shipping = Setting("shipping", int, ["user"], default_value=0)


def context_of(request: Request) -> dict[str, str]:
    """Return the values of context features for a request."""
    return {"user": request.headers.get("x-user", "anonymous")}


app = Flask(__name__)
Heksher(app, context=context_of)

if "HEKSHER_URL" in os.environ:
    client = ThreadHeksherClient(os.environ["HEKSHER_URL"], 60, ["user"])
    client.track_contexts(user=TRACK_ALL)
    client.set_as_main()


def terms() -> str:
    """Return what a user pays."""
    return f"{discount.get()} {shipping.get()}"


@app.get("/terms")
def read_terms() -> Response:
    """Read the settings in the request, twice."""
    first = terms()
    time.sleep(0.002)
    return jsonify([first, terms()])


@app.get("/statement")
def stream_statement() -> Response:
    """Read the settings while the response is sent."""

    def lines() -> Iterator[str]:
        for _ in range(4):
            yield f"{terms()}\n"
            time.sleep(0.001)

    return Response(lines(), mimetype="text/plain")
