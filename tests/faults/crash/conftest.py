"""One shim, one zygote, one upstream for all tests of a module."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.crash.origin import Origin, origin
from tests.faults.crash.shim import Zygote, build, zygote


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The compiled shim."""
    return build(tmp_path_factory.mktemp("shim"))


@pytest.fixture(scope="module")
def shimmed(library: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zygote]:
    """A zygote under the shim."""
    with zygote(library, tmp_path_factory.mktemp("zygote")) as made:
        yield made


@pytest.fixture(scope="module")
def upstream() -> Iterator[Origin]:
    """The upstream."""
    with origin() as made:
        yield made
