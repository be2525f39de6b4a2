from tests.sdk.conftest import log, scripted

__all__ = ["log", "scripted"]
