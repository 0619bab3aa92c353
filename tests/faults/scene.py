"""Where a row of the fault matrix is played: a scripted upstream, a caching proxy before it, and clients of that.

A ``Case`` is one row, or a part of one, as a function of a ``Scene``; it sees the proxy from outside only, so that any proxy can
be put there. It blocks, and therefore runs in a thread beside the reactor that the upstream lives in. Artifacts have the
addresses of registry blobs: every proxy at hand takes those, and the address says what the bytes must be.
"""

import functools
import hashlib
import itertools
import random
import re
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from attrs import define, field, frozen
from twisted.internet.defer import Deferred

from tests.fakes import crowd
from tests.fakes.crowd import Client
from tests.fakes.plays import Honest, Play
from tests.fakes.upstream import Answers, FakeUpstream, Script

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
ACCEPT = f"Accept: {MANIFEST}"
KIB, MIB = 1 << 10, 1 << 20


@frozen
class Scale:
    """How large it is played.

    Attributes:
        clients, size: of a crowd, and of the artifact that it wants.
        body: of other artifacts.
        seconds: no client may take longer.
        idle: after so many seconds the proxy should have noticed a silent upstream.
        settle: so long a proxy may take to keep what a client has in full already.
    """

    clients: int = 50
    size: int = 16 * MIB
    body: int = 4 * MIB
    seconds: float = 60.0
    idle: float = 12.0
    settle: float = 0.0
    full: bool = False


@functools.lru_cache(maxsize=2)
def content(size: int, seed: int) -> bytes:
    """Random bytes, the same for the same seed."""
    chance = random.Random(seed)
    # In pieces: randbytes cannot make more than 256 MiB at once.
    return b"".join(chance.randbytes(min(MIB, size - at)) for at in range(0, size, MIB))


@frozen
class Item:
    """One artifact: its path, upstream and at the proxy alike, and its bytes."""

    path: str
    data: bytes


@define(eq=False)
class Scene:
    """See above.

    Attributes:
        seed: decides what is drawn.
        chunked: upstream frames its bodies so.
        other, canary: upstreams that redirects may lead to, and that must never be asked.
        prefix: of the proxy's addresses.
        continues: the proxy has to go on with what breaks, where that splices nothing. Ours has; the matrix also lets others
            begin anew, or abort.
    """

    upstream: FakeUpstream
    port: int
    scale: Scale
    name: str
    seed: int
    chunked: bool = False
    other: FakeUpstream | None = None
    canary: FakeUpstream | None = None
    prefix: str = ""
    continues: bool = False
    _numbers: "itertools.count[int]" = field(factory=itertools.count)
    _pool: ThreadPoolExecutor = field(factory=lambda: ThreadPoolExecutor(8))

    @property
    def chance(self) -> random.Random:
        """Random numbers that the seed decides."""
        return random.Random(self.seed)

    @property
    def framing(self) -> str:
        """How upstream frames its bodies."""
        return "chunked" if self.chunked else "length"

    def data(self, size: int | None = None) -> bytes:
        """Bytes for a new artifact."""
        number = next(self._numbers)
        made = content(self.scale.body if size is None else size, self.seed & 0xFF)
        return f"{self.name}-{self.seed}-{number}".encode().ljust(64)[: len(made)] + made[64:]

    def honest(self, data: bytes, **more: Any) -> Honest:
        """A good server's answers, in this scene's framing."""
        return Honest(data, more={"framing": self.framing}, **more)

    def offer(self, *acts: Answers, data: bytes | None = None, last: Answers | None = None, name: str = "") -> Item:
        """Make upstream have an artifact: ``acts`` for its first GETs, then an honest answer or ``last``."""
        made = self.data(self.scale.size) if data is None else data
        path = f"/v2/{name or self.name}/blobs/sha256:{hashlib.sha256(made).hexdigest()}"
        self.upstream.answers[path] = Play(list(acts), last or self.honest(made))
        return Item(path, made)

    def offer_tag(self, *acts: Answers) -> Item:
        """Make upstream have a small mutable document."""
        number = next(self._numbers)
        layers = b'{"schemaVersion":2,"mediaType":"%s","config":{"mediaType":"application/vnd.oci.image.config.v1+json",' % (
            MANIFEST.encode()
        )
        config = b'"digest":"sha256:%s","size":2},"layers":[],"annotations":{"n":"%d"}}' % (b"4" * 64, number)
        data = layers + config
        path = f"/v2/{self.name}/manifests/tag-{self.seed}-{number}"
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        last = Honest(data, media_type=MANIFEST, headers={"docker-content-digest": digest}, etag=f'"{digest}"')
        play = self.upstream.answers[path] = Play(list(acts), last)
        self.upstream.answers[f"/v2/{self.name}/manifests/{digest}"] = play
        return Item(path, data)

    def address(self, path: str) -> str:
        """Where the proxy has what upstream has at a path."""
        return path if self.prefix and path.startswith(self.prefix) else self.prefix + path

    def fetches(self, item: Item) -> int:
        """How often upstream was asked for its body."""
        return self.upstream.count(item.path)

    def check_asked(self, item: Item, *parts: int, hop: FakeUpstream | None = None, path: str = "") -> None:
        """Upstream was asked for the whole once, and then for what was missing: of the same body, and from each of these places
        on, or sooner. The kernel may drop what was sent when a connection ends, by FIN as well if its reader was slow.
        """
        asked = [seen for seen in (hop or self.upstream).requests if seen.path.partition("?")[0] == (path or item.path)]
        told = [f"{seen.method} {seen.headers.get('range', 'all')}" for seen in asked]
        places = [int(place) for place in re.findall(r"bytes=(\d+)-", " ".join(told))]
        assert (len(asked), len(places)) == (1 + len(parts), len(parts)), f"upstream was asked for {told}"
        assert all(place <= part for place, part in zip(places, parts, strict=True)), f"upstream was asked for {told}"
        tags = {seen.headers.get("if-range") for seen in asked if "range" in seen.headers}
        assert tags <= {Honest(item.data).etag}, f"a part of any body was asked for: {tags}"

    def open(self, gate: "Deferred[None]") -> None:
        """Let upstream go on where it is held."""
        self.upstream.reactor.callFromThread(gate.callback, None)

    def crowd(self, item: Item, clients: Sequence[Client], seconds: float | None = None) -> Sequence[Client]:
        """Let clients download; ``TimeoutError`` if they do not end."""
        for client in clients:
            client.path = self.address(client.path or item.path)
            if "/manifests/" in item.path and ACCEPT not in client.fields:
                client.fields = (*client.fields, ACCEPT)
        crowd.run(self.port, item.path, item.data, clients, seconds or self.scale.seconds)
        return clients

    def get(self, item: Item, *fields: str, method: str = "GET", seconds: float | None = None) -> Client:
        """One download."""
        return self.crowd(item, [Client(fields=fields, method=method)], seconds)[0]

    def beside(self, work: Callable[..., Any], *arguments: Any, **named: Any) -> "Future[Any]":
        """Do something meanwhile."""
        return self._pool.submit(work, *arguments, **named)

    def check_kept(self, item: Item) -> None:
        """It was stored: the next client has it without another question to upstream."""
        time.sleep(self.scale.settle)
        before = self.fetches(item)
        assert self.get(item).right, "the next client did not get it"
        assert self.fetches(item) == before, "it was not stored: upstream was asked again"

    def check_mended(self, item: Item) -> None:
        """Upstream is honest by now: after a moment a client gets the right bytes."""
        wait_for(lambda: self.get(item).right, self.scale.idle, "no client gets it, though upstream is well again")

    def drop_idle(self) -> None:
        """Close the connections that the proxy has to its upstreams."""
        for fake in filter(None, (self.upstream, self.other)):
            for line in list(fake.open):
                fake.reactor.callFromThread(line.wire.abortConnection)

    def forget(self) -> None:
        """End what runs beside, and let the artifacts go: together they are large."""
        self._pool.shutdown(cancel_futures=True)
        for fake in filter(None, (self.upstream, self.other, self.canary)):
            fake.requests.clear()
            for path in [path for path in fake.answers if path != "/v2/"]:
                del fake.answers[path]


def wait_for(holds: Callable[[], bool], seconds: float, otherwise: str) -> None:
    """Look until it is so."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.05)


def check_truth(clients: Sequence[Client]) -> None:
    """Nobody has a clean artifact that is not the origin's."""
    wrong = [client for client in clients if client.clean and client.status in {200, 206} and not client.right]
    assert not wrong, f"{len(wrong)} of {len(clients)} clients have a complete, wrong artifact (status {wrong[0].status})"


def check_all_right(clients: Sequence[Client]) -> None:
    """Everybody who stayed has it all."""
    check_truth(clients)
    short = [client for client in clients if client.leave_at is None and not client.right]
    if short:
        seen = f"the first got status {short[0].status} and {short[0].got} bytes"
        raise AssertionError(f"{len(short)} of {len(clients)} clients did not get it: {seen}")


@frozen
class Case:
    """One row, or a part of one."""

    row: int
    title: str
    play: Callable[[Scene], None]
    both_framings: bool
    black_box: bool

    @property
    def id(self) -> str:
        """For reports."""
        return f"{self.row:02}-{self.title.replace(' ', '-')}"


CASES: list[Case] = []


def case(
    row: int, title: str, *, both_framings: bool = False, black_box: bool = True
) -> Callable[[Callable[[Scene], None]], Callable[[Scene], None]]:
    """Register a function as a case.

    Args:
        row: of the matrix.
        title: what is injected.
        both_framings: it is worth playing with a chunked upstream, too.
        black_box: any proxy can be asked; False: only one with the settings of our own tests.
    """

    def register(play: Callable[[Scene], None]) -> Callable[[Scene], None]:
        CASES.append(Case(row, title, play, both_framings, black_box))
        return play

    return register


def no_answer() -> Script:
    """The connection is closed in place of an answer."""
    return Script(raw=b"")
