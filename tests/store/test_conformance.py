"""Every store keeps the contract."""

from pathlib import Path

import pytest

from regproxy.store.disk import DiskStore
from regproxy.store.interface import BlobStore
from regproxy.store.memory import MemoryStore
from tests.conformance.store import StoreContract


@pytest.fixture(params=["disk", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    """An empty store."""
    return DiskStore(tmp_path / "store") if request.param == "disk" else MemoryStore()


class TestStore(StoreContract):
    """Disk and memory."""
