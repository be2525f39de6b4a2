"""nginx, configured as in ``examples/nginx``."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.waiting import until

NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
EXAMPLE = Path(__file__).parents[2] / "examples" / "nginx" / "nginx.conf"


@contextmanager
def nginx(folder: Path, service: str, more: str = "") -> Iterator[str]:
    """Run nginx in front of a service, with more configuration about the cache."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
    configuration = EXAMPLE.read_text("utf-8")
    for example, here in (("127.0.0.1:8888", service.removeprefix("http://")), ("127.0.0.1:8080", address)):
        assert configuration.count(example) == 1
        configuration = configuration.replace(example, here)
    configuration = configuration.replace("proxy_cache settings;", f"proxy_cache settings; {more}")
    folder.joinpath("nginx.conf").write_text(configuration, "utf-8")
    folder.chmod(0o755)
    assert NGINX is not None
    command = [NGINX, "-p", str(folder), "-c", "nginx.conf", "-e", "stderr", "-g", "daemon off; user root;"]
    if os.geteuid() != 0:
        command[-1] = "daemon off;"
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as running:
        try:
            until(lambda: accepts(address) or running.poll() is not None)
            assert running.poll() is None, running.stderr and running.stderr.read()
            yield f"http://{address}"
        finally:
            running.terminate()


def accepts(address: str) -> bool:
    host, port = address.split(":")
    with socket.socket() as connection:
        return connection.connect_ex((host, int(port))) == 0
