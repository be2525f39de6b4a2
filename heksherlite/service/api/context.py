"""The context of a service: what all of its requests share, and the dependencies through which routes receive it.

The dependencies are coroutines because FastAPI runs other functions in a thread pool, which takes longer than they do.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final, Self, TypeAlias

from fastapi import Depends, Header, Request

from heksherlite.service.api.access_tokens import AccessTokens
from heksherlite.service.api.audit_recorder import AuditRecorder
from heksherlite.service.api.authorizer import Authorizer
from heksherlite.service.api.bodies import BodyReader
from heksherlite.service.api.cache_policy import CachePolicy
from heksherlite.service.api.change_cause import ChangeCause
from heksherlite.service.api.device_codes import DeviceCodeSecrets
from heksherlite.service.api.grant_limits import GrantLimits
from heksherlite.service.api.metrics_collector import MetricsCollector
from heksherlite.service.api.origin_guard import OriginGuard
from heksherlite.service.api.people import People
from heksherlite.service.api.quotas import Quotas
from heksherlite.service.api.repeated_queries import RepeatedQueries
from heksherlite.service.api.repetition import Repetition
from heksherlite.service.api.slices import RawHeaders
from heksherlite.service.api.store_view import LimitedCatalogs, StoreView, WritableStoreView
from heksherlite.service.api.stream_tickets import StreamTickets
from heksherlite.service.api.streams import Streams
from heksherlite.service.changing import Changer
from heksherlite.service.domain.rights import Rights
from heksherlite.service.metrics.multiprocess import MultiprocessDirectory
from heksherlite.service.options import ServiceOptions
from heksherlite.service.responses.bodies import ResponseBodies
from heksherlite.service.responses.flags import FlagTags, ReadyFlags
from heksherlite.service.storage.store import Store

if TYPE_CHECKING:
    from heksherlite.service.identity_provider import IdentityProviderClient

_MAX_PUBLIC_BODY_SIZE: Final = 64 * 2**10
"""The maximal size of the body of a request that requires no token, in bytes."""

_MAX_BUFFERED_BODIES: Final = 64 * 2**20
"""The maximal size of all bodies that are in memory at the same time, in bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceContext:
    """What all requests to one service share.

    Attributes:
        store: The settings, rules, tokens and applications.
        options: The options of the service.
        limited_catalogs: The latest catalog, limited to each setting prefix in use.
        response_bodies: The cache of the bodies of query responses.
        not_modified: The headers of 304 responses to queries.
        in_full: The headers of responses to queries without tags, and the keys of their bodies in ``response_bodies``.
        cache_policy: The caching headers of query responses.
        streams: The open streams of changes.
        authorizer: Authorizes requests.
        origin_guard: Refuses requests from web pages of other sites; None if tokens are required.
        body_reader: Reads the bodies of requests.
        access_tokens: Issues and verifies the access tokens of OAuth2 clients.
        people: Authenticates the people who use the pages.
        identity_provider: Asks the identity provider who people are; None without one.
        grant_limits: The rate limits of grants.
        device_codes: The secrets that are required to collect tokens by device codes.
        metrics: Collects the metrics.
        audit: Records what happens in requests in the audit record.
        quotas: How much each client uses.
        changer: Previews and makes changes.
        repetition: What was logged already.
    """

    store: Store
    options: ServiceOptions
    limited_catalogs: LimitedCatalogs
    response_bodies: ResponseBodies
    not_modified: RepeatedQueries[RawHeaders]
    in_full: RepeatedQueries[tuple[RawHeaders, str]]
    cache_policy: CachePolicy
    streams: Streams
    authorizer: Authorizer
    origin_guard: OriginGuard | None
    body_reader: BodyReader
    access_tokens: AccessTokens
    people: People
    identity_provider: "IdentityProviderClient | None"
    grant_limits: GrantLimits
    device_codes: DeviceCodeSecrets
    metrics: MetricsCollector
    audit: AuditRecorder
    quotas: Quotas
    changer: Changer
    repetition: Repetition
    ready_flags: ReadyFlags
    flag_tags: FlagTags
    stream_tickets: StreamTickets

    @classmethod
    def create(cls, store: Store, options: ServiceOptions, multiprocess: MultiprocessDirectory | None) -> Self:
        """Return the context of a new service.

        Args:
            store: A loaded store. Its new catalogs are published to the streams of the context.
            options: The options of the service.
            multiprocess: The directory shared with other processes of the service; None for a single process.
        """
        streams = Streams(store.catalog, store.access.read)
        store.on_replaced = streams.publish
        quotas = Quotas(options.limits)
        store.on_recorded = quotas.add_history
        repetition = Repetition()

        def clock() -> float:
            return store.now().timestamp()

        access_tokens = AccessTokens(
            lambda: store.signing_keys, lambda: store.tokens, clock, revoked=lambda: store.revoked_access_tokens
        )
        authorizer = Authorizer(
            lambda: store.tokens,
            access_tokens,
            store.catch_up,
            options.access,
            options.limits,
            clock=clock,
            repetition=repetition,
            used=store.access.token_uses.used,
        )
        grant_limits = GrantLimits()
        origin_guard = OriginGuard(authorizer.proxy_headers, options.public_url)
        return cls(
            store=store,
            options=options,
            limited_catalogs=LimitedCatalogs(),
            response_bodies=ResponseBodies(),
            not_modified=RepeatedQueries(lambda: store.catalog.counters),
            in_full=RepeatedQueries(lambda: store.catalog.counters),
            cache_policy=CachePolicy(options),
            streams=streams,
            authorizer=authorizer,
            origin_guard=None if authorizer.requires_tokens else origin_guard,
            body_reader=BodyReader(
                max_bytes=options.limits.max_body_size,
                max_public_bytes=_MAX_PUBLIC_BODY_SIZE,
                max_buffered_bytes=_MAX_BUFFERED_BODIES,
                timeout=options.limits.request_timeout,
            ),
            access_tokens=access_tokens,
            people=People(authorizer, origin_guard, options.access, store.sessions, clock=clock),
            identity_provider=_identity_provider_client(options),
            grant_limits=grant_limits,
            device_codes=DeviceCodeSecrets(lambda: store.signing_keys, grant_limits.failed_polls),
            metrics=MetricsCollector(store, streams, authorizer, quotas, multiprocess),
            audit=AuditRecorder(store.audit, store.now),
            quotas=quotas,
            changer=Changer(store, options.limits),
            repetition=repetition,
            ready_flags=ReadyFlags(),
            flag_tags=FlagTags(),
            stream_tickets=StreamTickets(
                lambda: store.tokens, lambda: store.signing_keys, clock, requires_tokens=authorizer.requires_tokens
            ),
        )

    def base_url(self, request: Request) -> str:
        """Return the URL of the service as the client of a request knows it, without a trailing slash."""
        return self.options.public_url or self.authorizer.proxy_headers.base_url(request.scope)


def _identity_provider_client(options: ServiceOptions) -> "IdentityProviderClient | None":
    if options.access.identity_provider is None:
        return None
    # Only a service with an identity provider needs what this imports.
    from heksherlite.service.identity_provider import IdentityProviderClient  # noqa: PLC0415

    return IdentityProviderClient(options.access.identity_provider)


def context_of(request: Request) -> ServiceContext:
    """Return the context of the service that a request was sent to."""
    context: ServiceContext = request.app.state.context
    return context


async def _context(request: Request) -> ServiceContext:
    return context_of(request)


def declarations_are_strict(context: ServiceContext) -> bool:
    """Return whether only the declarers of a setting upgrade it by declaring it."""
    strict = context.options.access.strict_declarations
    if strict is not None:
        return strict
    return context.authorizer.requires_tokens and context.store.strict_declarations


Context: TypeAlias = Annotated[ServiceContext, Depends(_context)]
"""The context of the service."""


_IfMatch: TypeAlias = Annotated[
    list[str] | None, Header(description="The tag of what is to be changed; if it has another one, 412.")
]


async def _store_view(request: Request) -> StoreView:
    context = context_of(request)  # as a dependency of a dependency, it would take twice as long
    return StoreView(context.store, context.limited_catalogs, request.state.identity.setting_prefix)


async def _writable_store_view(request: Request, cause: ChangeCause, if_match: _IfMatch = None) -> WritableStoreView:
    context, identity = context_of(request), request.state.identity
    tags = frozenset([tag.strip() for header in if_match or () for tag in header.split(",")])
    return WritableStoreView(
        context.store, context.limited_catalogs, identity.setting_prefix, context.options.limits, cause, tags
    )


ReadableStore: TypeAlias = Annotated[StoreView, Depends(_store_view)]
"""The store as the request may read it."""

WritableStore: TypeAlias = Annotated[WritableStoreView, Depends(_writable_store_view)]
"""The store as the request may read and change it."""


async def _rights(request: Request) -> Rights:
    identity = request.state.identity
    return Rights(identity.scopes, identity.setting_prefix)


CallerRights: TypeAlias = Annotated[Rights, Depends(_rights)]
"""What the one who sent the request may change."""
