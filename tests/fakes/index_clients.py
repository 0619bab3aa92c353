"""pip and uv as programs, told nothing by this machine's configuration but where its certificates are."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from attrs import frozen

from tests.fakes import clients
from tests.fakes.process import Regproxy

SECONDS = 50.0
_FORGOTTEN = ("PIP_", "UV_", "PYTHON", "VIRTUAL_ENV")
_PROXIES = ("http_proxy", "https_proxy", "all_proxy")


def environment() -> dict[str, str]:
    """Of a client: no index, no proxy, no cache of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_FORGOTTEN) and name.lower() not in _PROXIES}
    return kept | {"PIP_CONFIG_FILE": os.devnull, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "UV_NO_CONFIG": "1", "NO_COLOR": "1"}


@frozen
class Ran:
    """How it went."""

    code: int
    output: str


@frozen
class Installer:
    """One client.

    Attributes:
        command: the program and what every call of it has.
        index: the option that names the index.
        no_cache: the option that lets it forget.
    """

    command: Sequence[str]
    index: str
    no_cache: str

    def install(self, index: str, target: Path, *words: str, env: Mapping[str, str] | None = None) -> Ran:
        """``install`` into a folder."""
        return self.run("install", self.no_cache, self.index, index, "--target", str(target), *words, env=env)

    def run(self, *words: str, env: Mapping[str, str] | None = None) -> Ran:
        """Run it, whatever comes of it."""
        done = subprocess.run(
            [*self.command, *words],
            env={**environment(), **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        return Ran(done.returncode, done.stdout)


def pip() -> Installer:
    """The installed pip, or that of the interpreter of the tests."""
    python = clients.find_python("pip") or Path(sys.executable)
    return Installer([str(python), "-m", "pip", "--isolated", "--no-input"], "--index-url", "--no-cache-dir")


def uv() -> Installer:
    """The installed uv, working for the interpreter of the tests."""
    program = clients.find_program("uv")
    assert program is not None, "mark the test with client('uv')"
    return Installer([str(program), "pip"], "--default-index", "--no-cache")


def index_of(proxy: Regproxy, key: str = "pypi") -> str:
    """What a client is told."""
    return f"{proxy.base_url}/api/pypi/{key}/simple/"


def installed(target: Path, module: str) -> dict[str, object]:
    """What an installed module of ours says about itself."""
    said: dict[str, object] = {}
    exec((target / f"{module}.py").read_text(), said)
    return said
