"""What happens to a stored blob that is not what its name says, cannot be read, or has gone: the one place that decides it.

Its file goes into quarantine, so that no reader opens it again, then the rows that name it go, so that the next request
fetches anew. Rows of what came from no upstream stay: nobody can fetch that, and an operator has to know. Who asks for it again
finds a blob that is missing, whatever took it: that is told once in a while only.
"""

from collections.abc import Sequence
from contextlib import suppress

from twisted.internet.task import deferLater
from txaio.tx import make_logger

from regproxy.errors import RegproxyError, is_used_up
from regproxy.model.node import Node
from regproxy.repo.parts import Parts
from regproxy.stream.source import BlobReader

log = make_logger()

TOLD_AGAIN = 3600.0
LOOKS, LOOK_SECONDS = 100, 0.01


def is_local(node: Node) -> bool:
    """Whether a node came from no upstream: it is the only copy that there is."""
    return not node.origin


async def condemn(parts: Parts, sha256: str, why: str, seen: BlobReader | None = None) -> Sequence[Node] | None:
    """Put a blob aside and drop what can be had again; returns the nodes that named it. ``why`` is a fixed word.

    None, and nothing is done, if it is not what was ``seen``: while that was read through, somebody has stored it anew.
    """
    parts.told[sha256] = parts.clock.seconds()  # before its name goes: who misses it from then on has nothing new to say
    is_gone = False
    try:
        is_gone = await parts.readers.run(lambda: parts.store.quarantine(sha256, seen)) or not is_there(parts, sha256)
    finally:
        if not is_gone:
            parts.told.pop(sha256, None)
    if not is_gone:
        return None
    parts.recorder.blob_lost(why)
    return await forsake(parts, sha256, why)


async def avoid(parts: Parts, sha256: str, why: str, seen: BlobReader | None = None) -> None:
    """As ``condemn``, for who only wants to read: a disk or an index that takes nothing is no trouble of his.

    What cannot be put aside keeps its name, and is found to be bad by whoever reads it next.
    """
    try:
        await condemn(parts, sha256, why, seen)
    except (OSError, RegproxyError) as error:
        log.error("blob {sha256} is {why}, and stays as it is for now: {error!r}", sha256=sha256, why=_in_words(why), error=error)  # noqa: TRY400 - one line


async def forsake(parts: Parts, sha256: str, why: str) -> Sequence[Node]:
    """Drop the rows of a blob that is not there, but for those of local nodes; returns the nodes that named it."""
    parts.told[sha256] = parts.clock.seconds()
    why = _in_words(why)
    try:
        nodes = await parts.readers.run(lambda: parts.index.nodes_of(sha256))
    except BaseException:
        parts.told.pop(sha256, None)
        raise
    log.error("blob {sha256} is {why}, named by {nodes}", sha256=sha256, why=why, nodes=names(nodes))
    for node in sorted(nodes, key=is_local, reverse=True):  # what has to be said does not wait for the index
        if is_there(parts, sha256):
            break  # stored anew
        if is_local(node):
            log.critical(
                "LOST: {repository}:{path} was put here by somebody, came from no upstream, and its blob {sha256} is {why}",
                repository=node.repository,
                path=node.path,
                sha256=sha256,
                why=why,
            )
        elif _names(parts, node):
            await parts.index.remove(node.repository, node.path)
    await parts.index.forget(sha256)
    if not any(map(is_local, nodes)):
        parts.told.pop(sha256, None)  # nothing names it: the next loss is another one
    return nodes


async def missed(parts: Parts, node: Node) -> bool:
    """Somebody wants a node's blob and there is none: as ``condemn``, unless its row has gone as well or it was told lately.

    True, and nothing is done, if it is there again: it was out of sight while somebody looked whether it is needed.
    """
    try:
        if not await is_decided(parts, node.sha256):
            return False
    except OSError as error:
        if is_used_up(error):
            raise
        log.error("whether blob {sha256} is out of sight cannot be seen: {error}", sha256=node.sha256, error=error)  # noqa: TRY400 - one line
        return False
    if await parts.readers.run(lambda: is_there(parts, node.sha256)):
        return True
    now = parts.clock.seconds()
    if _names(parts, node) and now >= parts.told.get(node.sha256, -TOLD_AGAIN) + TOLD_AGAIN:
        parts.recorder.blob_lost("missing")
        with suppress(RegproxyError):  # the index takes nothing: its row stays a miss
            await forsake(parts, node.sha256, "missing")
    return False


async def is_decided(parts: Parts, sha256: str) -> bool:
    """Wait while somebody, of whatever process, has a blob out of sight; who finds none behind this knows that it has gone.

    False if that takes too long: whoever has it aside has died or waits for the disk.
    """
    for _ in range(LOOKS):
        if not await parts.readers.run(lambda: parts.store.is_aside(sha256)):
            return True
        await deferLater(parts.clock, LOOK_SECONDS)
    return False


async def make_durable(parts: Parts, sha256: str) -> None:
    """Bring a blob to the disk, and note that it is there; one that the disk refuses is condemned."""
    try:
        await parts.readers.run(lambda: parts.store.sync(sha256))
        await parts.index.synced(sha256)
    except FileNotFoundError:
        return  # evicted meanwhile
    except OSError as error:
        if is_used_up(error):
            return  # as if nobody had tried: the next start finds it unsynced
        # The kernel forgets what it could not write and says so once: asked again, it would call the blob safe.
        await avoid(parts, sha256, "unsynced")
    except RegproxyError:
        return  # the index is closed: the next start finds it unsynced


def is_there(parts: Parts, sha256: str) -> bool:
    """Whether the store has a file of that name now."""
    try:
        reader = parts.store.open(sha256)
    except OSError:
        return True  # something is there, if nothing that can be read
    if reader is not None:
        reader.close()
    return reader is not None


def names(nodes: Sequence[Node]) -> tuple[str, ...]:
    """How messages call nodes."""
    return tuple(f"{node.repository}:{node.path}" for node in nodes)


def _in_words(why: str) -> str:
    return "of another size" if why == "size" else why


def _names(parts: Parts, node: Node) -> bool:
    """Whether it still names that blob: upstream may have sent another meanwhile."""
    found = parts.index.node(node.repository, node.path)
    return found is not None and found.sha256 == node.sha256
