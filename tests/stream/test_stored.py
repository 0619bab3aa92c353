"""A stored blob is complete from the start."""

import os

from regproxy.store.reading import OpenBlob
from regproxy.stream.stored import StoredBlob


def test_all_of_it_is_there() -> None:
    """From any offset, and nothing is waited for; a doubt is passed on, and the last word closes it."""
    reader, doubts = OpenBlob(os.memfd_create("test"), 10), list[int]()
    blob = StoredBlob(reader, lambda: doubts.append(1))
    assert (blob.size, blob.complete, blob.failed, blob.passed(3)) == (10, True, None, False)
    assert [blob.reach(offset, early=early) for offset, early in ((0, False), (3, True), (12, False))] == [10, 10, 12]
    assert blob.fileno() == blob.fileno(5) == reader.fileno() >= 0
    blob.doubt()
    assert doubts == [1]
    blob.release()
    assert reader.fileno() == -1
