"""A blob that clients follow, carried on by a fill that has taken its spool file over from another process."""

import os
from typing import Any

from attrs import define, field

from regproxy.errors import Kind, RegproxyError
from regproxy.stream.flight import Airborne
from regproxy.stream.growing import GrowingBlob


@define(eq=False)
class Mirror:
    """Shows in ``blob`` what becomes of the one that a launch announces, from ``begin`` to ``end``."""

    blob: GrowingBlob
    _source: GrowingBlob | None = field(default=None, init=False)

    def begin(self, outcome: Any) -> None:
        """Carry on; a launch that brings another file, or none, cannot continue what clients have begun to read."""
        source = outcome.blob if isinstance(outcome, Airborne) else None
        if source is None or not os.path.sameopenfile(source.fileno(), self.blob.fileno()):
            self.blob.fail(RegproxyError(Kind.UPSTREAM_DOWN, "it had to be begun anew"))
            return
        self._source = source.hold()  # our clients are its readers
        source.watch(self._changed)
        self._changed()

    def end(self) -> None:
        """The launch has ended."""
        source, self._source = self._source, None
        if source is not None:
            source.unwatch(self._changed)
            source.release()

    def _changed(self) -> None:
        source, blob = self._source, self.blob
        if source is None or blob.complete or blob.failed is not None:
            return
        if source.is_passing:
            blob.fail(RegproxyError(Kind.STORAGE, "what arrives cannot be kept any more"))
            return
        for span in source.extents:
            blob.wrote(span)
        if source.complete:
            blob.succeed()
        elif source.failed is not None:
            blob.fail(source.failed)
