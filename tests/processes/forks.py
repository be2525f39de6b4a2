"""Forks while a client runs, and prints what each process reads: ``python -m tests.processes.forks KIND URL``."""

import asyncio
import multiprocessing
import sys
import threading
import time
from typing import Any

import httpx

from heksherlite import TRACK_ALL, AsyncHeksherClient, Setting, ThreadHeksherClient

SECONDS = 20
setting = Setting("x", int, ["user"], 1)


def client_of(kind: type[Any], url: str) -> Any:
    """Return a client that updates often."""
    client = kind(url, 0.05, ["user"])
    client.track_contexts(user=TRACK_ALL)
    return client


def follow(ready: Any, seen: Any) -> None:
    """Send the first value at once, and the new value when it arrives."""
    seen.put(setting.get(user="a"))
    ready.release()
    deadline = time.monotonic() + SECONDS
    while setting.get(user="a") == 1 and time.monotonic() < deadline:
        time.sleep(0.01)
    seen.put(setting.get(user="a"))


async def follow_in_event_loop(ready: Any, seen: Any) -> None:
    """Do the same in an event loop."""
    seen.put(setting.get(user="a"))
    ready.release()
    deadline = time.monotonic() + SECONDS
    while setting.get(user="a") == 1 and time.monotonic() < deadline:  # noqa: ASYNC110 - a value has no event
        await asyncio.sleep(0.01)
    seen.put(setting.get(user="a"))


def run_in_event_loop(ready: Any, seen: Any) -> None:
    """Run :func:`follow_in_event_loop`."""
    asyncio.run(follow_in_event_loop(ready, seen))


def start_and_follow(url: str, ready: Any, seen: Any) -> None:
    """Follow the value with a new client, as in a spawned process."""
    with client_of(ThreadHeksherClient, url):
        follow(ready, seen)


def watch_children(method: str, target: Any, url: str, *args: Any) -> None:
    """Start three processes, change the value, and print the values that they and this process have read, sorted."""
    context: Any = multiprocessing.get_context(method)
    ready, seen = context.Semaphore(0), context.Queue()
    children = [context.Process(target=target, args=(*args, ready, seen)) for _ in range(3)]
    for child in children:
        child.start()
    for _ in children:
        ready.acquire(timeout=SECONDS)
    rule = {"setting": "x", "feature_values": {"user": "a"}, "value": 7}
    httpx.post(f"{url}/api/v1/rules", json=rule).raise_for_status()
    values = [seen.get(timeout=SECONDS) for _ in range(2 * len(children))]
    for child in children:
        child.join(SECONDS)
    print(sorted(values), [child.exitcode for child in children])


def reading() -> threading.Event:
    """Read in another thread until the event is set, so that forks happen under load."""
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            setting.get(user="a")

    threading.Thread(target=read, daemon=True).start()
    return done


async def with_async_client(url: str) -> None:
    """Fork while an event loop runs."""
    async with client_of(AsyncHeksherClient, url) as client:
        watch_children("fork", run_in_event_loop, url)
        await client.reload()
        print(setting.get(user="a"), client.status.state)


def main() -> None:
    """Run the kind of program that the arguments name."""
    kind, url = sys.argv[1:]
    if kind == "async":
        asyncio.run(with_async_client(url))
        return
    with client_of(ThreadHeksherClient, url) as client:
        done = reading()
        if kind == "fork":
            watch_children("fork", follow, url)
        else:
            watch_children("spawn", start_and_follow, url, url)
        done.set()
        client.reload()
        print(setting.get(user="a"), client.status.state)


if __name__ == "__main__":
    main()
