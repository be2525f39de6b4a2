"""``/api/v1/signing_key``: the key that signs access tokens and device codes."""

from fastapi import APIRouter, Request, Response

from heksherlite.service.api.administration import ADMINISTRATION, Administered
from heksherlite.service.api.change_cause import author_of
from heksherlite.service.api.responses import no_content
from heksherlite.service.api.routes import ServiceRoute, requires
from heksherlite.service.domain.authors import Cause
from heksherlite.service.domain.tokens import Scope
from heksherlite.service.fields import RequestBody
from heksherlite.service.storage.tokens import rotate_signing_key

router = APIRouter(prefix="/api/v1/signing_key", tags=["tokens"], route_class=ServiceRoute)


class Rotation(RequestBody):
    """Whether to refuse what the previous key signed at once, because others may know that key."""

    at_once: bool = False


@router.post("/rotate", status_code=204, responses=ADMINISTRATION)
@requires(Scope.ADMIN, all_settings=True)
async def rotate(body: Rotation, request: Request, store: Administered) -> Response:
    """Sign with a new key. What the previous key signed is accepted for half an hour, unless ``at_once`` is true."""
    await rotate_signing_key(store.access, Cause(author_of(request)), at_once=body.at_once, now=store.now().timestamp())
    return no_content()
