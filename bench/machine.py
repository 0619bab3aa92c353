"""On what was measured: the machine, the versions, the command. Nothing that names the machine."""

import os
import platform
import ssl
import subprocess
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

import msgspec

from bench.installed import versions
from bench.programs import CHECKOUT


class Run(msgspec.Struct, frozen=True):
    """A run, apart from its samples."""

    command: str
    rounds: int
    minutes: float
    machine: Mapping[str, str]
    versions: Mapping[str, str]
    missing: Mapping[str, str]


def describe(file: Path, command: Sequence[str], rounds: int, missing: Mapping[str, str], seconds: float) -> None:
    """Write it down."""
    run = Run(" ".join(command), rounds, round(seconds / 60, 1), machine(), {**ours(), **versions()}, missing)
    file.write_bytes(msgspec.json.format(msgspec.json.encode(run), indent=1))


def machine() -> Mapping[str, str]:
    """Processor, memory, kernel."""
    cpus = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    models = [line.partition(":")[2].strip() for line in cpus.splitlines() if line.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    system = platform.freedesktop_os_release().get("PRETTY_NAME", "")
    return {
        "processor": f"{len(os.sched_getaffinity(0))} × {models[0] if models else platform.machine()}",
        "memory": f"{memory / (1 << 30):.0f} GiB",
        "system": f"{system}, {platform.system()} {platform.release().split('-')[0]}",
    }


def ours() -> Mapping[str, str]:
    """What regproxy runs on."""
    done = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False, cwd=CHECKOUT)
    return {
        "regproxy": f"{version('regproxy')} {done.stdout.strip()}".strip(),
        "Python": platform.python_version(),
        "Twisted": version("Twisted"),
        "OpenSSL": ssl.OPENSSL_VERSION,
        "cryptography": version("cryptography"),
    }
