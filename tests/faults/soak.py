"""``python -m tests.faults.soak --minutes 10 --clients 50 --seed 1``: a real regproxy with little room, its upstream in bad
weather, clients of all kinds, reloads; each body is compared byte for byte. What the process holds is counted before and after.

Status 1 if a byte was wrong, or something is left: fills, files of the spool, descriptors, memory; or ``verify --strict`` finds
something.
"""

import argparse
import random
import re
import shutil
import signal
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

from attrs import define, field, frozen
from twisted.internet import task
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from regproxy.stream.growing import EARLY
from tests.fakes import crowd
from tests.fakes.crowd import Client
from tests.fakes.process import Regproxy
from tests.fakes.upstream import FakeUpstream, Script
from tests.faults import peers
from tests.faults.invariants import Invariants, fills
from tests.faults.scene import KIB, MIB, wait_for
from tests.faults.weather import SIZES, Artifact, Weather, artifacts

COUNT = 60
ROOM = 48 * MIB
PARKED = 8 * MIB
IDLE_MILLIS = 1500
# Longer than the first answer of an upstream is waited for.
SECONDS = 180.0
RELOAD_SECONDS = 15.0
FLAT = 16 * MIB
# A repository that a reload leaves behind is some thousands, and there are 26 reloads between the looks of a run of ten minutes.
# Garbage that is not collected yet makes a difference of 30,000.
FLAT_BLOCKS = 60_000
FILES = """
[store]
maxBytes = "{room}"
parkedMaxBytes = "{parked}"

[limits]
connectionsPerClient = 500
{images}
[[repository]]
key = "files"
rclass = "remote"
packageType = "generic"
url = "{url}/plain"
socketTimeoutMillis = {idle}
assumedOfflinePeriodSecs = 1
missedRetrievalCachePeriodSecs = 1
retrievalCachePeriodSecs = 5
"""


@frozen
class Held:
    """What the process holds when nobody asks for anything."""

    when: str
    requests: int
    descriptors: int
    spooled: tuple[int, int]
    stored: int
    rss: int
    blocks: int

    def row(self) -> str:
        """Of a table."""
        files, size = self.spooled
        cells = (
            self.when,
            self.requests,
            self.descriptors,
            f"{files} / {size}",
            f"{self.stored / MIB:.1f}",
            f"{self.rss / MIB:.1f}",
            self.blocks // 1000,
        )
        return f"| {' | '.join(str(cell) for cell in cells)} |"


TITLES = ("", "requests so far", "descriptors", "spool: files / bytes", "stored, MiB", "memory, MiB", "its blocks, thousands")
HEAD = f"| {' | '.join(TITLES)} |\n{'|---' * len(TITLES)}|"


@define(eq=False)
class Soak:
    """One run of it.

    Attributes:
        patient: what upstream has left unanswered is waited for at the end of each third; else upstream hangs up.
    """

    regproxy: Regproxy
    upstream: FakeUpstream
    weather: Weather
    things: list[Artifact]
    seed: int
    patient: bool = True
    outcomes: Counter[str] = field(factory=Counter)
    reloads: int = 0
    wrong: list[str] = field(factory=list)
    held: list[Held] = field(factory=list)
    _ended: threading.Event = field(factory=threading.Event)
    _inside: Invariants = field(init=False)

    def play(self, seconds: float, clients: int) -> None:
        """A look before and after each of three thirds; in the first one caches and the allocator fill. Blocks."""
        self._inside = Invariants(self.regproxy)
        self.held.append(self._look("before"))
        for when in ("after a third", "after two thirds", "at the end"):
            self._work(seconds / 3, clients, f"{self.seed}-{when}")
            self._settle()
            self.held.append(self._look(when))
        verified = self.regproxy.command("verify", "--strict")
        if verified.returncode:
            self.wrong.append(f"verify: {verified.stdout}{verified.stderr}")

    def failures(self) -> list[str]:
        """What must not be."""
        _, first, second, last = self.held
        found = list(self.wrong)
        if last.descriptors > first.descriptors:
            found.append(f"{last.descriptors - first.descriptors} more descriptors")
        if last.rss - second.rss > FLAT:
            found.append(f"{(last.rss - second.rss) >> 20} MiB more memory in the last third")
        if last.blocks - first.blocks > FLAT_BLOCKS:
            found.append(f"{last.blocks - first.blocks} more blocks of memory than after a third")
        found += [f"{each.when} the spool has {each.spooled[0]} files" for each in self.held if each.spooled[0]]
        # A body of unknown length makes the store larger until the next one asks for room.
        found += [f"{each.when} {each.stored} bytes are stored" for each in self.held if each.stored > ROOM + 2 * max(SIZES)]
        return found

    def _work(self, seconds: float, clients: int, seed: str) -> None:
        self._ended.clear()
        self.weather.fair = False
        with ThreadPoolExecutor(clients) as threads:
            working = [threads.submit(self._client, random.Random(f"{seed}-{number}")) for number in range(clients)]
            deadline = time.monotonic() + seconds
            while (left := deadline - time.monotonic()) > 0:
                time.sleep(min(left, RELOAD_SECONDS))
                self._reload()
            self._ended.set()
            while wait(working, None if self.patient else 1.0).not_done:
                self._drop_idle()
            for each in working:
                each.result()

    def _client(self, chance: random.Random) -> None:
        while not self._ended.is_set():
            thing = chance.choice(self.things)
            for client in _visits(chance, len(thing.data)):
                self.download(thing, client)
            self._ended.wait(chance.uniform(0, 1))

    def download(self, thing: Artifact, client: Client) -> Client:
        """One client of one artifact; what it must not see is kept in ``wrong``."""
        try:
            crowd.run(self.regproxy.port, thing.path, thing.data, [client], SECONDS)
        except TimeoutError:
            self.wrong.append(f"{thing.path} had no end: {_story(client)}; fills: {fills(self.regproxy)}")
        self.outcomes[_outcome(client)] += 1
        # What came before a cut is not to be wrong either where no digest could tell.
        complete = client.clean and client.status in {200, 206} and not _is_early(client)
        if (complete and not client.right) or (client.wrong and not thing.named):
            self.wrong.append(f"{thing.path}: {_story(client)}")
        return client

    def _reload(self) -> None:
        self.reloads += 1
        self.regproxy.write_config(configuration(self.upstream.url("").rstrip("/"), IDLE_MILLIS + self.reloads % 7))
        self.regproxy.signal(signal.SIGHUP)

    def _settle(self) -> None:
        """The weather is fair: everything can be had, and then nothing is under way."""
        self.weather.fair = True
        for thing in self.things:
            wait_for(lambda thing=thing: self.download(thing, Client()).right, SECONDS, f"nobody gets {thing.path}")  # type: ignore[misc] # defaults
        self._inside.check(self._drop_idle)
        self.wrong += [text for text in self.regproxy.log.splitlines() if "Traceback" in text or "Unhandled" in text]

    def _drop_idle(self) -> None:
        for line in list(self.upstream.open):
            self.upstream.reactor.callFromThread(line.wire.abortConnection)

    def _look(self, when: str) -> Held:
        inside = Invariants(self.regproxy).descriptors()
        store = self.regproxy.data_dir / "store"
        spool = [path.stat().st_size for path in (store / "spool").iterdir()]
        stored = sum(path.stat().st_size for path in (store / "blobs").rglob("*/*/*") if path.is_file())
        requests = sum(self.outcomes.values())
        descriptors = inside.sockets + sum(inside.files.values())
        rss, blocks = self.regproxy.rss(), _blocks(self.regproxy)
        return Held(when, requests, descriptors, (len(spool), sum(spool)), stored, rss, blocks)

    def report(self) -> str:
        """For people."""
        lines = [HEAD, *(each.row() for each in self.held), ""]
        lines.append(f"{self.reloads} reloads; what clients saw: {_counts(self.outcomes)}.")
        lines.append(f"What upstream did: {_counts(self.weather.seen)}.")
        lines.append(f"Wrong: {len(self.failures())}. {'; '.join(self.failures()[:10])}".rstrip())
        return "\n".join(lines)


def _blocks(regproxy: Regproxy) -> int:
    """How many blocks of memory its objects take: what leaks grows here, whatever the allocator keeps."""
    with urllib.request.urlopen(f"{regproxy.base_url}/metrics", timeout=SECONDS) as page:
        found = re.search(rb"(?m)^regproxy_memory_blocks ([0-9.e+]+)$", page.read())
    assert found is not None
    return int(float(found[1]))


def _visits(chance: random.Random, size: int) -> list[Client]:
    """How one client comes: plainly, slowly, for a part, leaving, or leaving and coming back for the rest."""
    at = chance.randrange(size)
    part = f"Range: bytes={at}-{min(size - 1, at + chance.randrange(MIB))}"
    end = f"Range: bytes=-{1 + chance.randrange(64 * KIB)}"
    ways = {
        "plain": [Client()],
        "slow": [Client(rate=size / chance.uniform(1, 8))],
        "part": [Client(fields=(part,))],
        "end": [Client(fields=(end,))],
        "leave": [Client(leave_at=at)],
        "resume": [Client(leave_at=at), Client(fields=(f"Range: bytes={at}-",))],
        "head": [Client(method="HEAD")],
    }
    return ways[chance.choice(["plain", "plain", *ways])]


def _is_early(client: Client) -> bool:
    """A small part is served before all of its artifact is there, and verified: nothing but the whole can be."""
    return client.status == 206 and client.got <= EARLY


def _story(client: Client) -> str:
    """What a client asked for, and how it went."""
    return f"{client.fields}, rate {client.rate}, leaves at {client.leave_at}: status {client.status}, {client.got} bytes"


def _outcome(client: Client) -> str:
    if client.right or (client.method == "HEAD" and client.status == 200):
        return "right"
    if client.leave_at is not None and client.got >= client.leave_at:
        return "left"
    if client.clean and _is_early(client):
        return "an unverified part"
    return f"status {client.status}" if client.clean else "cut off"


def _counts(counter: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counter.most_common())


def configuration(url: str, idle: int) -> str:
    """Of both repositories."""
    return FILES.format(room=ROOM, parked=PARKED, url=url, idle=idle, images=peers.REGPROXY.format(url=url, idle=idle))


async def soak(reactor: object, folder: Path, seconds: float, clients: int, seed: int, *, patient: bool = True) -> Soak:
    """Start both sides, play, stop them."""
    upstream = FakeUpstream(reactor).start()
    weather, things = Weather(random.Random(seed)), artifacts(COUNT, seed)
    upstream.answers["/v2/"] = Script(b"{}", headers={"docker-distribution-api-version": "registry/2.0"})
    upstream.answers.update({thing.upstream: weather.answers(thing) for thing in things})
    regproxy = Regproxy(folder / "regproxy", configuration(upstream.url("").rstrip("/"), IDLE_MILLIS))
    made = Soak(regproxy, upstream, weather, things, seed, patient)
    try:
        await deferToThread(regproxy.start)
        await deferToThread(made.play, seconds, clients)
    finally:
        await deferToThread(regproxy.close)
        await upstream.stop()
    return made


async def run(reactor: object, options: argparse.Namespace) -> None:
    """Soak, report, exit."""
    seed = options.seed if options.seed is not None else random.randrange(1 << 30)
    sys.stdout.write(f"seed {seed}, {options.minutes:g} minutes, {options.clients} clients\n")
    sys.stdout.flush()
    folder = Path(tempfile.mkdtemp(prefix="soak-"))
    made = await soak(reactor, folder, options.minutes * 60, options.clients, seed)
    sys.stdout.write(made.report() + "\n")
    if made.failures():
        sys.stdout.write(f"its log: {folder}\n")
        raise SystemExit(1)
    shutil.rmtree(folder)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.soak", description=(__doc__ or "").partition(":")[2].strip())
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seed", type=int, help="repeats what was drawn")
    options = parser.parse_args()
    task.react(lambda reactor: Deferred.fromCoroutine(run(reactor, options)))


if __name__ == "__main__":
    main()
