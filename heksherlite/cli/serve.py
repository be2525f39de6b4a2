"""``heksherlite serve``: run the service."""

import gc
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click

from heksherlite.cli.access import access_options
from heksherlite.cli.location import database_option, default_database
from heksherlite.cli.secrets_key import secrets_key_options
from heksherlite.names import CONTEXT_FEATURE_NAME
from heksherlite.service.domain.limits import Limits
from heksherlite.service.options import AccessOptions, ServiceOptions

if TYPE_CHECKING:
    from heksherlite.cli.logs import LogFormat


def _require_collector(_context: click.Context, _parameter: click.Parameter, enabled: bool) -> bool:
    if not enabled:
        return False
    if not _is_installed("opentelemetry.sdk") or not _is_installed("opentelemetry.exporter"):
        raise click.BadParameter("OpenTelemetry is not installed: pip install 'heksherlite[opentelemetry]'")
    if not any(name.startswith("OTEL_EXPORTER_OTLP_") and name.endswith("ENDPOINT") for name in os.environ):
        raise click.BadParameter(
            "the address of the collector is missing; set OTEL_EXPORTER_OTLP_ENDPOINT, for example to"
            " http://localhost:4318"
        )
    os.environ.setdefault("OTEL_SERVICE_NAME", "heksherlite")
    return True


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8888,
    show_default=True,
    help="The port to listen on; 0 picks a free one.",
)
@click.option(
    "--uds", metavar="PATH", type=click.Path(dir_okay=False), help="Listen on a Unix domain socket instead of a port."
)
@database_option
@click.option(
    "--context-features",
    metavar="NAMES",
    envvar="HEKSHER_STARTUP_CONTEXT_FEATURES",
    show_envvar=True,
    help="The expected context features, from the most general to the most specific, separated by semicolons. Missing"
    " ones are added.",
)
@click.option(
    "--workers",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="The number of worker processes.",
)
@click.option(
    "--keep-history",
    metavar="DAYS",
    type=click.FloatRange(0, 36_500, min_open=True),
    help="How long the history keeps changes, in days. By default forever.",
)
@click.option(
    "--audit-retention",
    metavar="DAYS",
    type=click.FloatRange(0, 36_500, min_open=True),
    default=365,
    show_default=True,
    help="How long the audit record is kept, in days.",
)
@click.option(
    "--cache-max-age",
    metavar="SECONDS",
    type=click.IntRange(0, 86_400),
    default=0,
    show_default=True,
    help="How long an HTTP cache in front of the service may respond to queries by itself, in seconds. With 0, it"
    " revalidates each time.",
)
@click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="The format of the log on the standard error: lines for people, or JSON objects, one per line.",
)
@click.option("--access-log", is_flag=True, help="Log every request too.")
@click.option(
    "--opentelemetry",
    is_flag=True,
    callback=_require_collector,
    help="Send traces, metrics and errors to an OpenTelemetry collector, which the environment variables OTEL_*"
    " describe, such as OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318. Requires heksherlite[opentelemetry].",
)
@click.option(
    "--public-url",
    metavar="URL",
    help="The URL at which applications reach the service, such as https://settings.example.com. By default the one in"
    " their requests, or in the headers of trusted proxies.",
)
@click.option(
    "--name", metavar="TEXT", default="heksherlite", show_default=True, help="The name that applications see."
)
@click.option(
    "--beacon",
    is_flag=True,
    help="Announce the service on the local network, at --public-url or at --host and --port.",
)
@click.option(
    "--first-token-file",
    metavar="FILE",
    type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
    help="Where the first start with --auth tokens writes the first token; - is the standard output. By default the"
    " standard output if it is a terminal, and otherwise the file first-token in the user's data folder. Only its owner"
    " can read the file.",
)
@click.option(
    "--root-path",
    metavar="PATH",
    default="",
    help="The path that a reverse proxy removes from the URLs of requests, such as /heksher.",
)
@click.option(
    "--keep-alive",
    metavar="SECONDS",
    type=click.IntRange(1),
    default=75,
    show_default=True,
    help="How long an idle connection is kept open, in seconds. Choose more than the load balancer in front does.",
)
@click.option(
    "--drain",
    metavar="SECONDS",
    type=click.FloatRange(0),
    default=0,
    show_default=True,
    help="How long the service continues to respond after it is told to stop, in seconds. Meanwhile, /api/ready returns"
    " 503.",
)
@click.option(
    "--title", metavar="TEXT", default="", help="What the console calls the service, such as 'Shop, production'."
)
@click.option(
    "--color",
    metavar="COLOR",
    default="",
    help="The color in which the console marks the service, such as crimson or #b3261e.",
)
@click.option(
    "--cors-origin",
    "cors_origins",
    metavar="ORIGIN",
    multiple=True,
    help="A site whose pages may evaluate flags by OFREP, such as https://shop.example.com; may be repeated. * is every"
    " site.",
)
@click.option(
    "--targeting-key-feature",
    metavar="NAME",
    help="The context feature that the targeting key of OFREP is the value of, such as user. By default the targeting"
    " key is ignored.",
)
@secrets_key_options
@access_options
def serve(
    *,
    host: str,
    port: int,
    uds: str | None,
    database: str | None,
    context_features: str | None,
    workers: int,
    keep_history: float | None,
    audit_retention: float,
    cache_max_age: int,
    log_format: "LogFormat",
    access_log: bool,
    opentelemetry: bool,
    public_url: str | None,
    name: str,
    beacon: bool,
    first_token_file: Path | None,
    root_path: str,
    keep_alive: int,
    drain: float,
    title: str,
    color: str,
    cors_origins: tuple[str, ...],
    targeting_key_feature: str | None,
    access: AccessOptions,
    limits: Limits,
) -> None:
    """Run the service.

    The command runs until it is interrupted.
    """
    with _without_collections():
        from heksherlite.cli.running import run_service

    def options() -> ServiceOptions:
        return ServiceOptions(
            context_features=_split(context_features),
            keep_history=None if keep_history is None else timedelta(days=keep_history),
            audit_retention=timedelta(days=audit_retention),
            access=access,
            limits=limits,
            cache_max_age=cache_max_age,
            access_log=access_log,
            opentelemetry=opentelemetry,
            public_url=public_url,
            name=name,
            root_path=root_path,
            keep_alive=keep_alive,
            drain=drain,
            title=title,
            color=color,
            cors_origins=cors_origins,
            targeting_key_feature=targeting_key_feature,
        )

    run_service(
        database or default_database(),
        options,
        address=uds or (host, port),
        workers=workers,
        log_format=log_format,
        first_token_file=first_token_file,
        beacon=beacon,
    )


@contextmanager
def _without_collections() -> Iterator[None]:
    """Import modules without garbage collections, which take an eighth of the time and find nothing."""
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        gc.enable()


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # the package around it
        return False


def _split(context_features: str | None) -> tuple[str, ...]:
    names = tuple([name.strip() for name in (context_features or "").split(";") if name.strip()])
    for name in names:
        if CONTEXT_FEATURE_NAME.fullmatch(name) is None:
            parts = [part for part in re.split(r"[;,\s]+", context_features or "") if part]
            is_list = len(parts) > len(names) and all(map(CONTEXT_FEATURE_NAME.fullmatch, parts))
            hint = f"; separate names by semicolons: --context-features '{';'.join(parts)}'" if is_list else ""
            raise click.BadParameter(
                f"{name[:200]!r} is not a name for a context feature (letters, digits and _){hint}",
                param_hint="--context-features",
            )
    return names
