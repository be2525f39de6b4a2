"""A service that tests share one after the other."""

from collections.abc import Sequence
from types import TracebackType
from typing import Self

import httpx

from heksherlite.service import EmbeddedService, embedded
from heksherlite.setting import existing_settings


class EmptiedService:
    """A real service in this process, which starts with the block.

    Attributes:
        service: The service.
    """

    def __init__(self) -> None:
        self.service: EmbeddedService = embedded()

    def __enter__(self) -> Self:
        self.service.__enter__()
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.service.__exit__(exc_type, exc, traceback)

    def empty(self, context_features: Sequence[str]) -> None:
        """Delete everything, and create context features.

        Args:
            context_features: The context features, most general first. If empty, those of the settings of this process.
        """
        features = list(context_features) or list(
            dict.fromkeys(feature for setting in existing_settings() for feature in setting.configurable_features)
        )
        with httpx.Client(base_url=f"{self.service.url}/api/v1", timeout=60, trust_env=False) as http:
            for setting in http.get("/settings").raise_for_status().json()["settings"]:
                http.delete(f"/settings/{setting['name']}").raise_for_status()
            present = http.get("/context_features").raise_for_status().json()["context_features"]
            if present != features:
                for feature in present:
                    http.delete(f"/context_features/{feature}").raise_for_status()
                for feature in features:
                    http.post("/context_features", json={"context_feature": feature}).raise_for_status()
