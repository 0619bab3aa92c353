"""The detour of a client who fell out of the window of a body that is not kept: a fill of its own, from where it is.

It is asked for by Range, from the same upstream and with the same validator, and verified like the whole: it begins where the
hashes of the body are known, at or before the client's offset. Without a digest the strong validator has to do. A client that
wants a range far ahead of the body gets it without: nobody could say more of a part.
"""

from typing import TYPE_CHECKING

from twisted.internet.defer import CancelledError

from regproxy.errors import Kind, RegproxyError
from regproxy.model.ranges import Span
from regproxy.stream.enduring import EnduringWriter
from regproxy.stream.hashing import Hashes, PrefixHashes
from regproxy.stream.lane import Timely
from regproxy.stream.passing import PassingBlob
from regproxy.stream.source import Readable
from regproxy.stream.spawn import spawn
from regproxy.stream.window import Window

if TYPE_CHECKING:
    from regproxy.repo.fill import Fill


async def detour(fill: "Fill", offset: int) -> Readable:
    """Begin one; what it brings is the caller's alone. ``RegproxyError`` if upstream could bring other bytes."""
    if not fill.waybill.can_continue:
        raise RegproxyError(Kind.UPSTREAM_BAD, "the bytes went by, and nothing says how to get the same ones again")
    window = fill.writer.window
    assert window is not None
    ahead = offset > window.head
    if ahead or not fill.waybill.digests:
        origin, hashes = offset, Hashes.of((), None)
    else:
        origin, hashes = fill.lane.checkpoints.before(offset)
    branch = _branch(fill, origin, hashes, offset)
    branch.blob.hold()
    spawn(_run(branch, verified=not (ahead and fill.waybill.digests)), f"a detour at {offset}")
    return branch.blob


def _branch(fill: "Fill", origin: int, hashes: Hashes, offset: int) -> "Fill":
    writer = EnduringWriter.through(Window.open(origin, bounded=True, reader=offset))
    branch: Fill
    blob = PassingBlob.over(
        writer.fileno(),
        fill.blob.size,
        withheld=bool(fill.waybill.digests),
        deserted=lambda: branch.stop(),  # noqa: PLW0108 - not yet made
    )
    blob.extents.add(Span(0, origin))
    prefix = PrefixHashes(hashes, blob, Timely(fill.parts.writers, fill.parts.clock), origin)
    branch = type(fill)(fill.parts, fill.waybill, fill.terms, blob, writer, prefix)
    return branch


async def _run(branch: "Fill", *, verified: bool) -> None:
    try:
        await branch.receive(await branch.go_on())
        if not verified:
            raise RegproxyError(Kind.INTEGRITY, "a part cannot be verified")
        await branch.verify(None)
        branch.blob.succeed()
    except BaseException as error:
        await branch.give_up(error)
        if not isinstance(error, (RegproxyError, CancelledError)):
            raise
    else:
        branch.blob.release()
