"""An index that is new over a store that is not: every blob gets its row again, so that its space is known and can be given back.

What they are called is not known any more: whoever asks for an artifact has it fetched, and its blob is linked to it then. Their
rows say that they may not be durable, and nothing names them.
"""

from itertools import islice

from txaio.tx import make_logger

from regproxy.index.interface import BlobRow
from regproxy.repo.parts import Parts

log = make_logger()

PAGE = 500


async def adopt(parts: Parts) -> int:
    """Give each blob of the store a row, unless it has one; how many had none."""
    files = parts.store.each()
    count = 0
    while page := await parts.readers.run(lambda: list(islice(files, PAGE))):
        rows = [BlobRow(file.sha256, file.size, synced=False, last_used=file.modified) for file in page]
        count += await parts.index.adopt(rows)
    if count:
        log.warn("the index is new: {count} blobs of the store have rows again, and no names", count=count)  # noqa: G010 - txaio's name
    return count
