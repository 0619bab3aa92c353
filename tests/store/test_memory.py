"""What the store in memory has of its own: a capacity, and descriptors that end with their writers."""

from pathlib import Path

import pytest

from regproxy.store.memory import MemoryStore
from tests.conformance.store import name_of, read, stored


def test_the_capacity_is_kept_to() -> None:
    """To the byte, over all blobs, those in quarantine too; what was reserved may be written."""
    store = MemoryStore(capacity=10)
    first = stored(store, b"abcd")
    assert (store.space().total, store.space().free) == (10, 6)
    with pytest.raises(OSError, match="space"):
        store.create(7)
    writer = store.create(None)
    writer.write_at(0, [b"xyz"])
    writer.write_at(3, [b"xyz"])
    with pytest.raises(OSError, match="space"):
        writer.write_at(6, [b"1234567"])
    writer.commit(name_of(b"xyzxyz"), durable=False)
    store.quarantine(first)
    assert store.space().free == 0
    store.delete(name_of(b"xyzxyz"))
    assert (store.space().free, read(store, first)) == (6, None)


def test_descriptors_end_with_their_writers() -> None:
    """However that is, and once."""
    store = MemoryStore()
    for end in ("commit", "keep", "abort"):
        writer = store.create(None, b"about")
        writer.write_at(0, [b"abc"])
        descriptor = Path(f"/proc/self/fd/{writer.fileno()}")
        before = descriptor.readlink()
        if end == "commit":
            writer.commit(name_of(b"abc"), durable=True)
        elif end == "keep":
            assert writer.keep(durable=True)
        else:
            writer.abort()
        assert writer.fileno() == -1
        assert not descriptor.is_symlink() or descriptor.readlink() != before
        writer.abort()


def test_claims_are_counted() -> None:
    """As many as there are keep it."""
    store = MemoryStore()
    name = stored(store, b"abc")
    claims = [store.claim(name), store.claim(name)]
    for claim in claims:
        assert claim is not None
        assert not store.delete(name)
        claim.release()
    assert store.delete(name)
    assert store.claim(name) is None
    assert not store.delete(name)


def test_what_was_put_aside_comes_back() -> None:
    """Unless there is a newer one by then."""
    store = MemoryStore()
    name = stored(store, b"abc")
    aside = store.set_aside(name)
    assert (aside is not None, read(store, name)) == (True, None)
    assert aside is not None
    aside.restore()
    assert read(store, name) == b"abc"
