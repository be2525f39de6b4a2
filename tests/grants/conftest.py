from hypothesis import settings

from tests.sdk.conftest import log

__all__ = ["log"]

settings.register_profile("patient", deadline=None)  # machines stall
settings.load_profile("patient")
