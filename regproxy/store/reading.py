"""An open blob: a descriptor and a size."""

import os

from attrs import define


@define
class OpenBlob:
    """A ``BlobReader`` that owns its descriptor."""

    _descriptor: int
    size: int

    def fileno(self) -> int:
        """A descriptor for ``pread`` and ``sendfile``; -1 once it is closed."""
        return self._descriptor

    def close(self) -> None:
        """Let it go; a second call does nothing, so that it can never close somebody else's descriptor."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)
