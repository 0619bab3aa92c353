"""Uploads that were abandoned go, and nothing else does."""

from pathlib import Path

import pytest

from regproxy.model.session import Session
from regproxy.upkeep.sessions import EVERY, Abandoned
from tests.upkeep.scene import Holdings
from tests.upkeep.test_garbage import outcome


@pytest.fixture
def held(tmp_path: Path) -> Holdings:
    """A store and an index."""
    return Holdings(tmp_path)


def test_abandoned(held: Holdings) -> None:
    """After their time, unless somebody writes to them; what is parked for another reason stays."""
    store = held.store
    about = Session("images", "app").to_json()
    old, busy, parked = store.create(None, about), store.create(None, about), store.create(None, b"a waybill")
    for writer in (old, busy, parked):
        writer.write_at(0, [b"data"])
    for writer in (old, parked):
        writer.keep(durable=False)
    names = {busy.name, parked.name}
    modified = max(left.modified for left in store.left())
    held.clock.advance(modified + 3599 - held.clock.seconds())
    abandoned = Abandoned(held.parts, 3600.0)
    assert outcome(abandoned.step()) == EVERY
    assert {*names, old.name} == set(store.unfinished())
    held.clock.advance(2)
    outcome(abandoned.step())
    assert names == set(store.unfinished())
    busy.abort()
