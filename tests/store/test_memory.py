"""What the store in memory has of its own: a capacity, and descriptors that end with their writers."""

import os
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


def test_an_exact_fit() -> None:
    """All of the capacity can be reserved, or written without; not a byte more."""
    for length in (10, None):
        store = MemoryStore(capacity=10)
        writer = store.create(length)
        writer.write_at(0, [b"12345"])
        writer.write_at(5, [b"67890"])
        with pytest.raises(OSError, match="space"):
            writer.write_at(10, [b"x"])
        writer.commit(name_of(b"1234567890"), durable=False)
        assert read(store, name_of(b"1234567890")) == b"1234567890"


def test_what_is_being_written_takes_room() -> None:
    """As much as was reserved, or as was written if that is more; what is left as well; it is given back however that ends."""
    store = MemoryStore(capacity=10)
    first, second = store.create(6), store.create(None, b"about")
    assert (store.space().free, list(store.unfinished())) == (4, [])  # what is being written has no name
    second.write_at(2, [b"x"])
    first.write_at(0, [b"abc"])
    assert store.space().free == 1
    with pytest.raises(OSError, match="space"):
        store.create(2)
    with pytest.raises(OSError, match="space"):
        first.write_at(6, [b"xy"])
    assert second.keep(durable=False)
    assert store.space().free == 1
    first.commit(name_of(b"abc"), durable=False)
    assert store.space().free == 4
    (left,) = store.left()
    with pytest.raises(OSError, match="space"):
        store.resume(left.name, 8)
    again = store.resume(left.name, 7)
    assert again is not None
    assert store.space().free == 0
    again.abort()
    assert store.space().free == 7


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


def test_no_descriptor_is_left_of_what_does_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has a writer that would close it."""
    made, real = list[int](), os.memfd_create

    def create(name: str) -> int:
        made.append(real(name))
        return made[-1]

    monkeypatch.setattr(os, "memfd_create", create)
    with pytest.raises(OSError, match="space"):
        MemoryStore(capacity=10).create(11)
    with pytest.raises(OSError, match="descriptor"):
        os.fstat(made[0])


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
