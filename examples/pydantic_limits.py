"""Limits in a pydantic model. Needs ``pip install "heksherlite[service]"``, which installs pydantic."""

import httpx
from pydantic import BaseModel, Field

from heksherlite import TRACK_ALL, Setting, ThreadHeksherClient
from heksherlite.service import embedded


class Mail(BaseModel, frozen=True):
    """How mail is sent."""

    host: str = Field(default="localhost", min_length=1)
    port: int = Field(default=25, ge=1, le=65535, description="25, or 587 with encryption")
    encrypted: bool = False


mail = Setting("mail", Mail, ["environment"], default_value=Mail())


def main() -> None:
    """Run a service, and move the mail of one environment to another host."""
    with embedded(context_features=["environment"]) as service, httpx.Client(base_url=service.url) as operator:
        client = ThreadHeksherClient(service.url, update_interval=60, context_features=["environment"])
        client.track_contexts(environment=TRACK_ALL)
        with client:
            rule = {"setting": "mail", "feature_values": {"environment": "prod"}}
            refused = operator.post("/api/v1/rules", json={**rule, "value": {"port": 0}})
            print(refused.status_code, refused.text)
            value = {"host": "mail.example.com", "port": 587, "encrypted": True}
            operator.post("/api/v1/rules", json={**rule, "value": value}).raise_for_status()
            client.reload()
            for environment in ("dev", "prod"):
                print(f"{environment}: {mail.get(environment=environment)!r}")


if __name__ == "__main__":
    main()
