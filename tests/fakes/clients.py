"""Where the real clients are that ``tests/clients`` runs.

``.ci/install-clients`` makes one virtual environment per client below ``REGPROXY_CLIENTS`` (``.clients/`` in the checkout by
default): ``hf-current``, ``hf-1``, ``hf-0.36``, ``datasets``, ``uv``, ``pip``, ``twine`` and others; beside them it builds
``oci-conformance``. Everything else is looked for on the PATH, sbin folders included.
"""

import os
import shutil
from pathlib import Path

from tests.fakes.process import CHECKOUT


def clients_folder() -> Path:
    """The folder of virtual environments."""
    return Path(os.environ.get("REGPROXY_CLIENTS") or CHECKOUT / ".clients").absolute()


def find_python(name: str) -> Path | None:
    """The interpreter of one virtual environment; None if it was not made."""
    python = clients_folder() / name / "bin" / "python"
    return python if python.exists() else None


def find_program(name: str) -> Path | None:
    """A program of the virtual environment with its name, or else of this machine; None if neither has it."""
    own = clients_folder() / name / "bin" / name
    if own.exists():
        return own
    found = shutil.which(name, path=os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin")))
    return Path(found) if found else None


def is_here(name: str) -> bool:
    """Whether a test that asks for this client can run."""
    return find_python(name) is not None or find_program(name) is not None
