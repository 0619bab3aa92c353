"""What a repository tells the metrics. The real one is ``telemetry/metrics.py``."""

from typing import Protocol


class Recorder(Protocol):
    """Counts what happened."""

    def filled(self, repository: str, size: int) -> None:
        """A fill has landed."""

    def verification_failed(self, repository: str) -> None:
        """A body was not what it had to be."""

    def blob_lost(self, why: str) -> None:
        """A stored blob was taken out of sight; ``why`` is a fixed word."""

    def evicted(self, why: str, size: int) -> None:
        """A blob was taken out of the store to make room; ``why`` is a fixed word."""

    def not_kept(self, repository: str) -> None:
        """A body passed through, because it could not be stored."""

    def blob_checked(self, size: int) -> None:
        """A stored blob of so many bytes was read through again."""
