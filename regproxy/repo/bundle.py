"""Several uploads that become nodes as one step: all of them can be seen, or none, whatever happens meanwhile.

Their bytes are taken first, in any number of requests' time, and nobody sees them. Then one transaction writes every row. Whoever
made a bundle closes it.
"""

from collections.abc import Callable, Mapping, Sequence

from attrs import define, field

from regproxy.errors import Kind, RegproxyError
from regproxy.index.interface_holdings import Holdings
from regproxy.model.deposit import Deposit, Step, Upload
from regproxy.model.digest import Digest
from regproxy.model.node import Node
from regproxy.repo.intake import Intake
from regproxy.repo.interface_bundle import Piece
from regproxy.repo.parts import Parts
from regproxy.repo.storing import Storing, Taken
from regproxy.stream.source import Source
from regproxy.telemetry.events import What


@define(eq=False)
class Bundle:
    """One bundle (``repo.interface.Bundled``)."""

    _parts: Parts
    _holdings: Holdings
    _intake: Intake
    _storing: Storing
    _taken: list[Taken] = field(factory=list, init=False)

    async def receive(self, source: Source, promised: Sequence[Digest] = ()) -> Piece:
        """Take a body."""
        return self._add(await self._storing.body(source, promised, self._intake.room(0)))

    async def link(self, promised: Sequence[Digest], may_use: Callable[[Node], bool]) -> Piece | None:
        """Take bytes that are here."""
        taken = await self._storing.here(promised, may_use)
        return None if taken is None else self._add(taken)

    def _add(self, taken: Taken) -> Piece:
        self._taken.append(taken)
        return Piece(taken.size, taken.digests)

    async def publish(
        self, uploads: Sequence[tuple[Upload, Piece]], removed: Sequence[str], expected: Mapping[str, str | None]
    ) -> bool:
        """Write the rows."""
        for upload, _ in uploads:
            refusal = self._intake.refusal(upload.path)
            if refusal is not None:
                raise RegproxyError(Kind.DENIED, refusal)
        now = self._parts.clock.seconds()
        deposits = [self._intake.deposit(upload, piece.size, piece.digests, now) for upload, piece in uploads]
        done = await self._holdings.make(self._intake.key, Step(deposits, removed, expected))
        if done:
            self._tell(deposits, removed)
        return done

    def _tell(self, deposits: Sequence[Deposit], removed: Sequence[str]) -> None:
        for path in removed:
            self._parts.events.tell(What.DELETED, repository=self._intake.key, path=path)
        for each in deposits:
            self._intake.tell(each.node)

    async def close(self) -> None:
        """Let go of all that was taken."""
        taken, self._taken = self._taken, []

        def release() -> None:
            for each in taken:
                each.release()

        if taken:
            await self._parts.writers.run(release)
