"""A remote grant for pods: the token of their Kubernetes service account is exchanged for facts.

The endpoint checks the token with the public keys of the cluster. Mount a projected token for its audience, and run:
``python kubernetes_token.py https://settings.example.com /var/run/secrets/tokens/settings``.
"""

import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path

import httpx

from heksherlite.grants import DemandError, Endpoint, Fakts, LoadRequest, RemoteGrant, WellKnownDiscovery


@dataclass
class ServiceAccountDemand:
    """Exchanges the token of a service account, which Kubernetes replaces every hour, for a token of the endpoint."""

    identifier: str
    path: Path

    async def ademand(self, endpoint: Endpoint, request: LoadRequest) -> str:  # noqa: ARG002 - nobody is asked
        """Return a token of the endpoint."""
        if not endpoint.is_pinned:
            raise DemandError(
                endpoint.base_url, "the token is not sent to an endpoint that anybody could have announced"
            )
        token = (await asyncio.to_thread(self.path.read_text)).strip()
        manifest = {"identifier": self.identifier, "version": "1", "scopes": ["read"]}
        async with httpx.AsyncClient(timeout=10) as http:
            response = await http.post(f"{endpoint.base_url}redeem/", json={"manifest": manifest, "token": token})
        answer = response.json() if response.is_success else {}
        if answer.get("status") != "granted":
            raise DemandError(f"{endpoint.base_url}redeem/", answer.get("message", f"status {response.status_code}"))
        return str(answer["token"])


def make_fakts(url: str, path: Path) -> Fakts:
    """Return the loader of a pod."""
    demand = ServiceAccountDemand("shop.checkout", path)
    grant = RemoteGrant(
        identifier="shop.checkout",
        discovery=WellKnownDiscovery(url=url),
        demand=demand,
        token_store=None,  # each pod has its own token
    )
    return Fakts(grant)


if __name__ == "__main__":
    print(sorted(make_fakts(sys.argv[1], Path(sys.argv[2])).get()))
