"""Plays the upstream and client rows of the fault matrix before any caching proxy, and says what was seen.

    python -m tests.faults --target http://127.0.0.1:8081 --upstream-port 9000
    python -m tests.faults --peer regproxy --peer nginx --peer docker-registry --markdown report.md

A target is a proxy that forwards to http://127.0.0.1:<upstream-port>, where the scripted upstream listens; peers are started
here. Artifacts have the addresses of registry blobs. The exit status is 1 if a row fails, 2 if there is nothing to play.
"""

import argparse
import random
import tempfile
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from attrs import frozen
from twisted.internet import task
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from tests.fakes.upstream import FakeUpstream, Script
from tests.faults import peers
from tests.faults.cases import CASES
from tests.faults.scene import Case, Scale, Scene

SCALE = Scale(seconds=30.0, idle=15.0, settle=0.3)


@frozen
class Result:
    """What came of one case; ``seen`` is empty if it passed."""

    case: Case
    chunked: bool
    seen: str

    @property
    def line(self) -> str:
        """For people."""
        verdict, why = ("FAIL", f": {self.seen}") if self.seen else ("pass", "")
        return f"{self.case.row:>3} {verdict} {self.title}{why}"

    @property
    def title(self) -> str:
        """What was injected."""
        return self.case.title + (", chunked" if self.chunked else "")


@frozen
class Fakes:
    """The upstreams: the one that is forwarded to, one that redirects may lead to, and one that must never be asked."""

    upstream: FakeUpstream
    other: FakeUpstream
    canary: FakeUpstream

    @classmethod
    def start(cls, reactor: object, port: int) -> "Fakes":
        """Listen."""
        ping = {"/v2/": Script(b"{}", headers={"docker-distribution-api-version": "registry/2.0"})}
        upstream = FakeUpstream(reactor, dict(ping), wanted_port=port).start()
        other = FakeUpstream(reactor, dict(ping), host="localhost").start()
        return cls(upstream, other, FakeUpstream(reactor, host="127.0.0.2", interface="127.0.0.2").start())

    async def stop(self) -> None:
        """Stop all three."""
        for fake in (self.upstream, self.other, self.canary):
            await fake.stop()


def chosen(rows: Sequence[int]) -> list[tuple[Case, bool]]:
    """The cases to play, those with two framings twice."""
    wanted = [case for case in sorted(CASES, key=lambda case: case.row) if case.black_box and (not rows or case.row in rows)]
    return [(case, chunked) for case in wanted for chunked in ((False, True) if case.both_framings else (False,))]


def play(case: Case, scene: Scene) -> str:
    """Play one case; what was seen if it failed."""
    try:
        case.play(scene)
    except Exception as error:  # noqa: BLE001 - whatever a proxy does is a result
        text = str(error).partition("\n")[0] or type(error).__name__
        return text if isinstance(error, AssertionError) else f"{type(error).__name__}: {text}"
    finally:
        scene.drop_idle()
        scene.forget()
    return ""


async def play_all(fakes: Fakes, port: int, prefix: str, rows: Sequence[int], seed: int) -> list[Result]:
    """Every chosen case, one after the other."""
    results = []
    for number, (case, chunked) in enumerate(chosen(rows)):
        name = f"row{case.row}/case{number}"
        scene = Scene(fakes.upstream, port, SCALE, name, seed, chunked, fakes.other, fakes.canary, prefix)
        result = Result(case, chunked, await deferToThread(play, case, scene))
        print(result.line, flush=True)
        results.append(result)
    return results


async def before_peer(fakes: Fakes, name: str, rows: Sequence[int], seed: int) -> list[Result]:
    """Start a peer, play, stop it."""
    with tempfile.TemporaryDirectory(prefix="faults-", ignore_cleanup_errors=True) as folder:
        peer = peers.PEERS[name](Path(folder) / name, fakes.upstream.port)
        await deferToThread(peer.start)
        try:
            return await play_all(fakes, peer.port, "", rows, seed)
        finally:
            await deferToThread(peer.close)


def markdown(found: dict[str, list[Result]]) -> str:
    """The results of several proxies side by side, by rows."""
    head = [f"{name} {peers.version(name)}" for name in found]
    lines = [f"| row | {' | '.join(head)} |", "|---" * (1 + len(head)) + "|"]
    for row in sorted({result.case.row for results in found.values() for result in results}):
        cells = [cell([result for result in results if result.case.row == row]) for results in found.values()]
        lines.append(f"| {row} | {' | '.join(cells)} |")
    totals = [f"{sum(not result.seen for result in results)} of {len(results)}" for results in found.values()]
    lines.append(f"| all | {' | '.join(totals)} |")
    return "\n".join(lines) + "\n"


def cell(results: list[Result]) -> str:
    """How many cases of a row passed, and what was seen in the first that did not."""
    failed = [result for result in results if result.seen]
    count = f"{len(results) - len(failed)} of {len(results)}"
    return f"{count}; {failed[0].title}: {failed[0].seen}".replace("|", "/") if failed else count


async def run(reactor: object, options: argparse.Namespace) -> None:
    """Play what was asked for, and exit."""
    seed = options.seed if options.seed is not None else random.randrange(1 << 30)
    print(f"seed {seed}")
    fakes = Fakes.start(reactor, options.upstream_port)
    found: dict[str, list[Result]] = {}
    try:
        if options.target:
            target = urlsplit(options.target)
            print(f"upstream: {fakes.upstream.url('')}")
            found["target"] = await play_all(fakes, target.port or 80, target.path.rstrip("/"), options.row, seed)
        for name in options.peer:
            print(f"{name} {peers.version(name)}", flush=True)
            found[name] = await before_peer(fakes, name, options.row, seed)
    finally:
        await fakes.stop()
    for name, results in found.items():
        print(f"{name}: {sum(not result.seen for result in results)} of {len(results)} passed")
    if options.markdown and options.peer:
        options.markdown.write_text(markdown({name: found[name] for name in options.peer}))
    if any(result.seen for results in found.values() for result in results):
        raise SystemExit(1)


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--target", help="a proxy on 127.0.0.1 that forwards to the scripted upstream")
    parser.add_argument("--upstream-port", type=int, default=0, help="where the scripted upstream listens")
    parser.add_argument("--peer", action="append", default=[], choices=list(peers.PEERS), help="a proxy to start here")
    parser.add_argument("--row", action="append", default=[], type=int, help="only this row; may be repeated")
    parser.add_argument("--seed", type=int, help="repeats what was drawn")
    parser.add_argument("--markdown", type=Path, help="write the results of the peers side by side")
    options = parser.parse_args(arguments)
    if not options.target and not options.peer:
        parser.error("nothing to play before: give --target or --peer")
    for row in options.row:
        if not chosen([row]):
            parser.error(f"row {row} has no case that any proxy could be asked about")
    task.react(lambda reactor: Deferred.fromCoroutine(run(reactor, options)))


if __name__ == "__main__":
    main()
