"""pip and uv as clients of a package index, each in a process that knows nothing of this machine's configuration.

They block: whatever they talk to runs in threads or processes of its own.
"""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.fakes.clients import find_program, find_python
from tests.fakes.process import Finished

PIP = "pip"
UV = "uv"
SECONDS = 100.0

_OWN_PREFIXES = ("PIP_", "UV_")


def install(client: str, index: str, target: Path, *requirements: str) -> Finished:
    """Install into a folder; everything is asked for anew: the client keeps no cache."""
    return _run([*_COMMANDS[client](index, target), *requirements])


def installed(client: str, index: str, target: Path, *requirements: str) -> str:
    """Install, fail with what the client printed if it fails, and return that."""
    done = install(client, index, target, *requirements)
    assert done.code == 0, f"{client} {' '.join(requirements)}: {done.output[-3000:]}"
    return done.output


def downloaded(index: str, target: Path, *requirements: str) -> str:
    """Let pip download without installing, fail with what it printed if it fails, and return that."""
    done = _run([*_pip("download", index), "--no-deps", "--dest", target, *requirements])
    assert done.code == 0, f"pip download {' '.join(requirements)}: {done.output[-3000:]}"
    return done.output


def _pip(word: str, index: str) -> Sequence[str | Path]:
    python = find_python(PIP)
    assert python is not None, "mark the test with client('pip')"
    options = ("--isolated", "--no-cache-dir", "--disable-pip-version-check", "--no-input", "--retries", "0")
    return [python, "-m", "pip", *options, word, "--index-url", index]


def _pip_install(index: str, target: Path) -> Sequence[str | Path]:
    return [*_pip("install", index), "--target", target]


def _uv_install(index: str, target: Path) -> Sequence[str | Path]:
    program, python = find_program(UV), find_python(UV)
    assert program is not None, "mark the test with client('uv')"
    options = ("--no-config", "--no-cache", "--no-progress", *(("--python", str(python)) if python is not None else ()))
    return [program, "pip", "install", *options, "--default-index", index, "--target", target]


_COMMANDS = {PIP: _pip_install, UV: _uv_install}


def _environment() -> Mapping[str, str]:
    """This process's own without what configures the two; the certificates that it trusts stay."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_OWN_PREFIXES)}
    return {**kept, "PIP_CONFIG_FILE": os.devnull, "UV_HTTP_RETRIES": "0", "NO_PROXY": "127.0.0.1"}


def _run(command: Sequence[str | Path]) -> Finished:
    done = subprocess.run(
        [str(word) for word in command],
        env=_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=SECONDS,
        check=False,
    )
    return Finished(done.returncode, done.stdout)
