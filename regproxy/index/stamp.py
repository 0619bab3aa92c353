"""A row that counts changes, read again only after this process or another has written something."""

from attrs import define, field

from regproxy.index.sqlite import SqliteIndex


@define(eq=False)
class Stamp:
    """The number that ``sql`` selects."""

    _index: SqliteIndex
    _sql: str
    _number: int | None = field(init=False, default=None)
    _seen: object = field(init=False, default=None)

    def __call__(self) -> int:
        """It."""
        others = self._index.others()
        if self._number is None or others != self._seen:
            self._seen = others
            self._number = int(self._index.look(self._sql, ())[0][0])
        return self._number

    def outdate(self) -> None:
        """This process has changed something."""
        self._number = None
