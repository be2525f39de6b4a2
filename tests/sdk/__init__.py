"""The tests of the SDK: against the real service over real HTTP, on asyncio, trio and threads."""
