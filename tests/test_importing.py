"""What a server imports costs the collector of garbage nothing."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from regproxy.importing import importing


class Ring:
    """Something that only a collection frees."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def thawed() -> Iterator[None]:
    """What these tests freeze is not the other tests' concern."""
    yield
    gc.unfreeze()


def test_not_amid_imports_and_not_ever_again() -> None:
    """No collection interrupts them; then what there is stays, without what had become garbage."""
    with importing():
        assert not gc.isenabled()
        gone = weakref.ref(Ring())
        kept = Ring()
    assert gone() is None
    assert gc.isenabled()
    assert gc.get_freeze_count() > 0
    assert kept not in gc.get_objects()


def test_later_garbage_is_found() -> None:
    """Only what was there before is left out."""
    with importing():
        pass
    later = weakref.ref(Ring())
    gc.collect()
    assert later() is None


def test_failing() -> None:
    """A module that cannot be imported leaves the collector at work."""
    with pytest.raises(ImportError), importing():
        raise ImportError
    assert gc.isenabled()
