"""The local proxy of the example configmap_for_pip_proxy, as its users start it."""

from __future__ import annotations

import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from command_line import wait_until

PROGRAM = Path(__file__).resolve().parents[2] / "examples" / "configmap_for_pip_proxy" / "local_proxy.py"


@dataclass(frozen=True)
class ExampleProxy:
    """Where it listens, and the log that it writes."""

    url: str
    log: Path

    @property
    def requests(self) -> list[str]:
        """The requests that it has logged."""
        return re.findall(r'^"(.+) HTTP/1\.[01]"', self.log.read_text(), flags=re.MULTILINE)

    def fetch(self, url: str) -> None:
        """Get a page through it."""
        through = urllib.request.ProxyHandler({"http": self.url, "https": self.url})
        urllib.request.build_opener(through).open(url, timeout=10).close()


@contextmanager
def running_proxy(directory: Path) -> Iterator[ExampleProxy]:
    """The proxy on a free port until the block ends; directory: for its log."""
    log = directory / "proxy.log"
    command = [sys.executable, str(PROGRAM), "0"]
    with log.open("w") as file, subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, text=True) as process:
        try:
            wait_until(lambda: "\n" in log.read_text(), process)
            yield ExampleProxy(log.read_text().partition("\n")[0].rpartition(" ")[2], log)
        finally:
            process.kill()
