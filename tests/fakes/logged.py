"""A logger that keeps what it is told."""

from twisted.python.failure import Failure


class Log:
    """Keeps the reasons and the failures."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str]] = []

    def failure(self, _: str, *, failure: Failure, why: str) -> None:
        """Keep it."""
        self.said.append((why, str(failure.value)))
