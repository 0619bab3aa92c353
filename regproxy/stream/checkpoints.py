"""The running hashes of a body at some of its offsets, for those who read on from elsewhere and verify the whole."""

from attrs import define, field

from regproxy.stream.hashing import Hashes

MOST = 64
SPACING = 256 << 10


@define(eq=False)
class Checkpoints:
    """At most ``MOST`` of them whatever the length: when there are more, every second one goes, and they lie further apart."""

    _first: int
    _hashes: Hashes
    _kept: list[tuple[int, Hashes]] = field(init=False)
    _spacing: int = field(default=SPACING, init=False)

    def __attrs_post_init__(self) -> None:
        self._kept = [(self._first, self._hashes)]

    def add(self, offset: int, hashes: Hashes) -> None:
        """Note the state of the hashes at an offset, if it is far enough from the last one; they are copied."""
        if offset - self._kept[-1][0] < self._spacing:
            return
        self._kept.append((offset, hashes.copy()))
        if len(self._kept) > MOST:
            del self._kept[2::2]  # the second is where a window begins: whoever comes out of the spool falls back to it
            self._spacing *= 2

    def before(self, offset: int) -> tuple[int, Hashes]:
        """The last one at or before an offset; its hashes are the caller's. ``LookupError`` if there is none."""
        for at, hashes in reversed(self._kept):
            if at <= offset:
                return at, hashes.copy()
        raise LookupError(offset)
