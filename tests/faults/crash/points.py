"""Crash-point enumeration: each N, each kind, a restart and a verification behind each."""

import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from attrs import define, field, frozen

from tests.faults.crash.origin import Origin
from tests.faults.crash.serving import Journal
from tests.faults.crash.shim import Call, Ended, Kind, Zygote, read_log

KILLED = -9
REFUSALS = ("OSError", "RegproxyError", "FullError", "IOError", "CantOpenError", "ReadOnlyError")


@frozen
class Violation:
    """A rule that did not hold, and the run that shows it."""

    kind: Kind
    at: int
    rule: str

    def __str__(self) -> str:
        return f"{self.kind.name} at {self.at}: {self.rule}"


@define(eq=False)
class Enumeration:
    """Runs the workload with faults; ``runs`` counts them, ``violations`` is what they showed.

    Runs begin on an empty store whose folders and tables are there, or, ``from_nothing``, on an empty folder. What ``coarse``
    means, shim.c says.
    """

    _zygote: Zygote
    _origin: Origin
    _folder: Path
    workload: str
    bug: str | None = None
    clients: int = 1
    from_nothing: bool = False
    coarse: bool = True
    runs: int = field(init=False, default=0)
    violations: list[Violation] = field(init=False, factory=list)
    _made: int = field(init=False, default=0)

    def total(self) -> int:
        """Run without a fault: how many points there are."""
        folder = self._fresh(0)
        ended = self._work(folder, Kind.NONE, 0)
        assert ended.code == 0, ended
        assert "value" in ended.result, ended.result
        assert [line for line in Journal(folder / "journal").lines() if line.startswith("not ")] == []
        return int(ended.result["points"])

    def log(self, path: Path) -> list[Call]:
        """Run without a fault: the calls that were made, in order; threads may change it a little from run to run."""
        self._work(self._fresh(0), Kind.NONE, 0, log=str(path))
        return read_log(path)

    def every(self, kind: Kind, *, first: int = 1, step: int = 1) -> int:
        """Let every N-th call go wrong until a run ends before its N; how many points that were."""
        at = first
        while self.one(kind, at):
            at += step
        return at - first

    def some(self, points: Iterable[tuple[Kind, int]]) -> None:
        """Let these go wrong."""
        for kind, at in points:
            self.one(kind, at)

    def one(self, kind: Kind, at: int) -> bool:
        """Run, restart, verify, ask again. False if the run ended before its N-th call."""
        folder = self._fresh(at)
        ended = self._work(folder, kind, at)
        self.runs += 1
        fired = ended.code == KILLED or int(ended.result.get("points", 0)) >= at
        found = [*self._of_the_run(kind, ended), *self._of_the_restart(folder)]
        self.violations += [Violation(kind, at, rule) for rule in found]
        shutil.rmtree(folder)
        return fired

    def _fresh(self, at: int) -> Path:
        self._made += 1
        folder = self._folder / f"run-{self._made}-{at}"
        if self.from_nothing:
            (folder / "data").mkdir(parents=True)
            return folder
        template = self._folder / "template"
        if not template.exists():
            template.mkdir()
            ended = self._zygote.run("start", template, self._url(template))
            assert (ended.code, ended.result.get("failure")) == (0, None), ended
        shutil.copytree(template, folder / "data")
        return folder

    def _url(self, folder: Path) -> str:
        return f"{self._origin.url}/{folder.name}"

    def _work(self, folder: Path, kind: Kind, at: int, **more: str) -> Ended:
        return self._zygote.run(
            self.workload,
            folder / "data",
            self._url(folder),
            kind,
            at,
            journal=str(folder / "journal"),
            bug=self.bug,
            clients=self.clients,
            coarse=self.coarse,
            **more,
        )

    def _of_the_run(self, kind: Kind, ended: Ended) -> Iterator[str]:
        kills = kind in (Kind.KILL_BEFORE, Kind.KILL_AFTER)
        if ended.code not in ((0, KILLED) if kills else (0,)):
            yield f"the run ended with {ended.code}"
        failure = ended.result.get("failure")
        # A start or a stop may be refused, loudly, for a disk that fails; nothing else may.
        if failure and (kills or not failure.startswith(REFUSALS)):
            yield f"the run failed: {failure}"

    def _of_the_restart(self, folder: Path) -> Iterator[str]:
        path = f"/{folder.name}/"
        before = {name: self._origin.sent[path + name] for name in ("fixed", "chunked", "mutable")}
        journal = folder / "journal"
        program = f"{self.workload}, checked"
        ended = self._zygote.run(program, folder / "data", self._url(folder), journal=str(journal), bug=self.bug)
        value = ended.result.get("value")
        if value is None:
            yield f"no restart: {ended.code} {ended.result.get('failure')}"
            return
        yield from (f"after the restart: {text}" for text in value["before"])
        yield from (f"after all was asked for again: {text}" for text in value["after"])
        yield from value["broken"]
        lines = Journal(journal).lines()
        done = {line.split()[1] for line in lines if line.startswith("done ")}
        for name, sent in before.items():
            # Room was made of whatever was used least, or one of two was purged, and damaged.
            gone = "begun squeeze" in lines or (name == "chunked" and "begun purge" in lines)
            if name in done and not gone and self._origin.sent[f"/{folder.name}/{name}"] > sent:
                yield f"{name} was fetched again though it had been stored"
