"""An index of an older schema is copied before it is changed."""

from pathlib import Path

import pytest

from regproxy.index import migrate
from regproxy.index.older import keep_older
from tests.conformance.index import node_at
from tests.index.conftest import Begin


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where ``begin`` puts its file."""
    return tmp_path / "state" / "index.sqlite"


def test_the_copy_is_what_the_older_program_goes_on_with(begin: Begin, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is up to date is not copied, nor one that is not there, nor one that is no index."""
    keep_older(path)
    index, clock = begin()
    clock.wait(index.put(node_at("p"), synced=True))
    clock.wait(index.close())
    keep_older(path)
    nonsense = path.with_name("nonsense")
    nonsense.write_bytes(b"no database" * 100)
    keep_older(nonsense)
    assert list(path.parent.glob("*.schema-*")) == []
    shipped = migrate.steps()
    with monkeypatch.context() as patch:
        patch.setattr(migrate, "steps", lambda: [*shipped, migrate.Step(9001, "DELETE FROM nodes;")])
        keep_older(path)
        upgraded, clock = begin()
        assert upgraded.node("npm", "p") is None
        clock.wait(upgraded.close())
    copy = path.with_name(f"{path.name}.schema-{shipped[-1].version}")
    assert copy.stat().st_mode & 0o777 == 0o600
    for each in path.parent.glob(f"{path.name}*"):
        if each != copy:
            each.unlink()
    copy.rename(path)
    older, _ = begin()
    assert node_at("p") == older.node("npm", "p")
