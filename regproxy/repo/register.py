"""Makes a blob that a fill has stored a node, and durable behind everybody's back."""

from collections.abc import Mapping

from regproxy.model.digest import Digest
from regproxy.model.node import Node
from regproxy.repo.damage import make_durable
from regproxy.repo.fill import Fill
from regproxy.repo.parts import Parts
from regproxy.stream.spawn import spawn
from regproxy.telemetry.events import What


async def register(parts: Parts, key: tuple[str, str], fill: Fill, found: Mapping[str, Digest]) -> None:
    """Write the rows of a committed fill: its own, and those of the other paths that were announced with it."""
    now, waybill, sha256 = parts.clock.seconds(), fill.waybill, found["sha256"].hex
    repository, own = key
    head = waybill.announced.head.landed(fill.received, sha256)
    others = [digest for name, digest in found.items() if name != "sha256"]
    for path in (own, *waybill.announced.also):
        node = Node(
            repository=repository,
            path=path,
            sha256=sha256,
            size=fill.received,
            head=head,
            validators=waybill.validators,
            created=now,
            modified=now,
            checked=now,
            origin=waybill.origin,
        )
        await parts.index.put(node, synced=False, digests=others)
    parts.recorder.filled(repository, fill.received)
    parts.events.tell(What.CACHED, repository=repository, path=own, sha256=sha256, size=fill.received)
    spawn(make_durable(parts, sha256), f"syncing {sha256}")
