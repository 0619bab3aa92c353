"""Which of the blobs that were begun are kept."""

from regproxy.store.interface import NOTHING, Keep, Left


def left(name: str, used: int, modified: float) -> Left:
    """One."""
    return Left(name, b"", (), clean=True, used=used, modified=modified)


def test_the_newest_that_fit() -> None:
    """To the byte and to the second; a large one does not keep smaller, older ones out."""
    candidates = [left("old", 1, 9.0), left("small", 3, 10.0), left("large", 8, 11.0), left("new", 7, 12.0)]
    assert [each.name for each in Keep(10.0, 10).choose(candidates)] == ["new", "small"]
    assert [each.name for each in Keep(10.0, 9).choose(candidates)] == ["new"]
    assert [each.name for each in Keep(10.0, 18).choose(candidates)] == ["new", "large", "small"]
    assert [each.name for each in Keep(9.0, 100).choose(candidates)] == ["new", "large", "small", "old"]


def test_nothing() -> None:
    """Unless bounds are given, not even what takes no bytes."""
    assert NOTHING.choose([left("empty", 0, 1e12)]) == []
    assert Keep(used=10).choose([left("empty", 0, 1e12)]) == []
    assert [each.name for each in Keep(0.0).choose([left("empty", 0, 5.0), left("byte", 1, 5.0)])] == ["empty"]
