"""A remote grant for CI jobs: the OIDC token of a job of GitHub Actions is exchanged for facts.

No secret is stored in CI. The endpoint checks the signature of the token with the public keys of the issuer, its
audience, and the repository in its subject. Give the job ``permissions: {id-token: write}``, and run:
``python ci_token.py https://settings.example.com``.
"""

import os
import sys
from dataclasses import dataclass

import httpx

from heksherlite.grants import DemandError, Endpoint, Fakts, LoadRequest, RemoteGrant, WellKnownDiscovery


@dataclass
class ActionsDemand:
    """Exchanges the OIDC token of the job, which GitHub makes on request, for a token of the endpoint."""

    identifier: str
    audience: str

    async def ademand(self, endpoint: Endpoint, request: LoadRequest) -> str:  # noqa: ARG002 - nobody is asked
        """Return a token of the endpoint."""
        if not endpoint.is_pinned:
            raise DemandError(
                endpoint.base_url, "the token is not sent to an endpoint that anybody could have announced"
            )
        async with httpx.AsyncClient(timeout=10) as http:
            job_token = await self._job_token(http)
            manifest = {"identifier": self.identifier, "version": "1", "scopes": ["read"]}
            response = await http.post(f"{endpoint.base_url}redeem/", json={"manifest": manifest, "token": job_token})
        answer = response.json() if response.is_success else {}
        if answer.get("status") != "granted":
            raise DemandError(f"{endpoint.base_url}redeem/", answer.get("message", f"status {response.status_code}"))
        return str(answer["token"])

    async def _job_token(self, http: httpx.AsyncClient) -> str:
        url = os.environ.get("ACTIONS_ID_TOKEN_REQUEST_URL")
        if url is None:
            raise DemandError("GitHub Actions", "the job has no OIDC token: give it 'permissions: {id-token: write}'")
        headers = {"Authorization": f"Bearer {os.environ['ACTIONS_ID_TOKEN_REQUEST_TOKEN']}"}
        asked = httpx.URL(url).copy_merge_params({"audience": self.audience})
        response = await http.get(asked, headers=headers)
        if response.status_code != 200:
            raise DemandError(str(asked.copy_with(query=None)), f"no OIDC token: status {response.status_code}")
        return str(response.json()["value"])


def make_fakts(url: str) -> Fakts:
    """Return the loader of a job."""
    grant = RemoteGrant(
        identifier="shop.checkout",
        discovery=WellKnownDiscovery(url=url),
        demand=ActionsDemand("shop.checkout", audience=url),
        token_store=None,  # each job has its own token
    )
    return Fakts(grant)


if __name__ == "__main__":
    print(sorted(make_fakts(sys.argv[1]).get()))
