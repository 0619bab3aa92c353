"""A stored blob that is read through before its end is let go: the rule of fills (``growing``), for what was stored long ago."""

from collections.abc import Callable

from attrs import define, field

from regproxy.model.ranges import Span
from regproxy.stream.growing import TAIL
from regproxy.stream.stored import StoredBlob


@define(eq=False)
class CheckedBlob(StoredBlob):
    """A ``Readable`` over an open blob whose last bytes wait for ``succeed``. Made with one hold, that of its first reader.

    ``begin`` is called once, when somebody reads: who asks for the head alone has nothing checked.
    """

    _begin: Callable[[], None]

    _right: bool = field(default=False, init=False)
    _wrong: BaseException | None = field(default=None, init=False)
    _watchers: dict[Callable[[], None], None] = field(factory=dict, init=False)
    _holds: int = field(default=1, init=False)
    _begun: bool = field(default=False, init=False)

    @property
    def complete(self) -> bool:
        """Whether it was read through, and is right."""
        return self._right

    @property
    def failed(self) -> BaseException | None:
        """Why its end will not be let go."""
        return self._wrong

    def reach(self, offset: int, *, early: bool = False) -> int:  # noqa: ARG002 - whoever wants all checked wants footers checked
        """To the tail, or to the end."""
        return max(offset, self.size if self._right else self.size - TAIL)

    def watch(self, changed: Callable[[], None], wanted: Span | None = None, *, early: bool = False) -> None:  # noqa: ARG002 - all is there
        """Call ``changed`` when there is a verdict."""
        self._watchers[changed] = None
        if not self._begun:
            self._begun = True
            self._begin()

    def unwatch(self, changed: Callable[[], None]) -> None:
        """Stop that."""
        self._watchers.pop(changed, None)

    def hold(self) -> "CheckedBlob":
        """One more reader, who will ``release``."""
        self._holds += 1
        return self

    def release(self) -> None:
        """One reader, or the check, has finished."""
        self._holds -= 1
        if self._holds == 0:
            self._reader.close()

    def succeed(self) -> None:
        """It is right."""
        self._right = True
        self._changed()

    def fail(self, reason: BaseException) -> None:
        """It is not."""
        self._wrong = reason
        self._changed()

    def _changed(self) -> None:
        for changed in list(self._watchers):
            changed()
