"""An index in a process of its own, which changes what the test's process reads: ``OtherProcess`` asks, ``main`` answers."""

import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any, BinaryIO

from attrs import define
from twisted.internet.defer import Deferred, fail, succeed

from regproxy.index.generation import Generation
from regproxy.index.sqlite import SqliteIndex
from tests.fakes.killing import ROOT
from tests.index.threads import Subject, ThreadedClock

CHANGES = frozenset({"put", "refresh", "used", "remove", "deny", "distrust", "synced", "forget", "remember"})


def shared_index(path: Path, slot: int, clock: ThreadedClock, *, is_owner: bool) -> SqliteIndex:
    """An index for one of several processes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return SqliteIndex(path, clock, Generation.open(path.with_name("generation"), slot), is_owner=is_owner)


@define(eq=False)
class OtherProcess:
    """The process; ``index`` has one that reads here and changes there."""

    process: "subprocess.Popen[bytes]"

    @classmethod
    def start(cls, path: Path, slot: int) -> "OtherProcess":
        """Start it over an index whose schema is there."""
        command = [sys.executable, "-m", "tests.index.writing", str(path), str(slot)]
        return cls(subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE))

    def ask(self, name: str, *arguments: Any, **named: Any) -> Any:
        """Let it change something; returns when that is done, or raises what it raised."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        pickle.dump((name, arguments, named), self.process.stdin)
        self.process.stdin.flush()
        outcome = pickle.load(self.process.stdout)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def end(self) -> int:
        """Let it close its index and end; its exit status."""
        self.process.communicate()
        return self.process.returncode


class _Divided:
    """Reads here, changes there."""

    def __init__(self, here: SqliteIndex, there: OtherProcess) -> None:
        self._here, self._there = here, there

    def __getattr__(self, name: str) -> Any:
        if name not in CHANGES:
            return getattr(self._here, name)

        def change(*arguments: Any, **named: Any) -> Deferred[Any]:
            try:
                return succeed(self._there.ask(name, *arguments, **named))
            except Exception as error:  # noqa: BLE001 - a Deferred takes whatever it was
                return fail(error)

        return change


@define
class DividedSubject(Subject):
    """What the conformance suite is given."""

    there: OtherProcess

    @classmethod
    def of(cls, here: SqliteIndex, clock: ThreadedClock, there: OtherProcess) -> "DividedSubject":
        """Two processes as one index."""
        index: Any = _Divided(here, there)
        return cls(index, clock, there)

    def catch_up(self) -> None:
        """Let what is counted over there be written."""
        self.there.ask("catch_up")


def main(path: str, slot: str) -> None:
    """Answer until stdin ends."""
    clock = ThreadedClock()
    index = shared_index(Path(path), int(slot), clock, is_owner=False)
    index.start()
    source: BinaryIO = sys.stdin.buffer
    subject = Subject(index, clock)
    while source.peek(1):  # type: ignore[attr-defined] # a BufferedReader
        name, arguments, named = pickle.load(source)
        try:
            outcome = getattr(subject if name == "catch_up" else index, name)(*arguments, **named)
            answer = clock.wait(outcome) if isinstance(outcome, Deferred) else outcome
        except Exception as error:  # noqa: BLE001 - it belongs to the one who asked
            answer = error
        pickle.dump(answer, sys.stdout.buffer)
        sys.stdout.buffer.flush()
    clock.wait(index.close())


if __name__ == "__main__":
    main(*sys.argv[1:])
