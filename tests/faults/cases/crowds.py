"""Group A: many clients of one artifact."""

import socket
import time

from twisted.internet.defer import Deferred

from tests.fakes.crowd import Client
from tests.fakes.plays import changed
from tests.fakes.upstream import Script, challenge
from tests.faults.scene import MIB, Scene, case, check_all_right, check_truth, no_answer, wait_for


@case(1, "a crowd on a cold artifact", both_framings=True)
def crowd(scene: Scene) -> None:
    """One upstream fetch for everybody, though its head takes a while."""
    data = scene.data(scene.scale.size)
    item = scene.offer(changed(scene.honest(data), delay=1.5 if scene.scale.full else 0.3), data=data)
    check_all_right(scene.crowd(item, [Client() for _ in range(scene.scale.clients)]))
    assert scene.fetches(item) == 1, f"upstream was asked {scene.fetches(item)} times"
    scene.check_kept(item)


@case(2, "leader, followers, clients at random leave", both_framings=True)
def leaving(scene: Scene) -> None:
    """Those who stay are not touched, and it is stored."""
    item = scene.offer()
    size, chance = len(item.data), scene.chance
    clients = [Client(leave_at=size // 10), Client(leave_at=size // 2), *(Client() for _ in range(6))]
    clients += [Client(leave_at=chance.randrange(1, size)) for _ in range(4)]
    check_all_right(scene.crowd(item, clients))
    assert scene.fetches(item) == 1, f"upstream was asked {scene.fetches(item)} times"
    scene.check_kept(item)


@case(3, "the only client leaves at the last byte", both_framings=True)
def last_byte(scene: Scene) -> None:
    """What was received in full is stored."""
    item = scene.offer()
    scene.crowd(item, [Client(leave_at=len(item.data))])
    wait_for(lambda: scene.fetches(item) == 1, scene.scale.seconds, "upstream was not asked")
    scene.check_kept(item)


@case(4, "a slow leader with quick followers", both_framings=True)
def slow_leader(scene: Scene) -> None:
    """Followers are not paced by the first who asked, and he is not dropped for it."""
    item = scene.offer()
    rate = len(item.data) / (60.0 if scene.scale.full else 6.0)
    leader = Client(rate=rate)
    ahead = scene.beside(scene.crowd, item, [leader])
    wait_for(lambda: leader.got > 0, scene.scale.seconds, "the leader gets nothing")
    check_all_right(scene.crowd(item, [Client() for _ in range(5)]))
    assert not leader.ended, "the followers were as slow as the leader, or the leader was dropped"
    leader.rate = 1e12
    check_all_right(ahead.result())
    assert scene.fetches(item) == 1, f"upstream was asked {scene.fetches(item)} times"


@case(5, "a follower stalls", both_framings=True)
def stalled_follower(scene: Scene) -> None:
    """The others finish; then he goes on where he was."""
    item = scene.offer()
    clients = [Client(), Client(stall_at=64 << 10), Client(), Client()]
    check_all_right(scene.crowd(item, clients))
    assert scene.fetches(item) == 1, f"upstream was asked {scene.fetches(item)} times"


@case(6, "one slow reader beside quick ones", both_framings=True)
def slow_reader(scene: Scene) -> None:
    """Quick ones have the whole while the slow one is at its beginning."""
    item = scene.offer()
    slow = Client(rate=len(item.data) / 20)
    quick = [Client() for _ in range(min(100, scene.scale.clients))]
    together = scene.beside(scene.crowd, item, [slow, *quick])
    wait_for(lambda: all(client.ended for client in quick), scene.scale.seconds, "quick clients wait for the slow one")
    assert slow.got < len(item.data), "the slow one was not slow: this shows nothing"
    slow.rate = 1e12
    check_all_right(together.result())
    assert scene.fetches(item) == 1, f"upstream was asked {scene.fetches(item)} times"


@case(7, "clients join at 1, 50, 99.9 % and at the end", both_framings=True)
def joining(scene: Scene) -> None:
    """Everybody has it from byte 0; upstream is asked once."""
    item = scene.offer()
    size = len(item.data)
    joins = (0, size // 100, size // 2, size - size // 1000, size)
    check_all_right(scene.crowd(item, [Client(join_at=at) for at in joins]))
    assert scene.fetches(item) == 1, f"upstream was asked {scene.fetches(item)} times"


@case(8, "all clients leave at the half", both_framings=True)
def all_leave(scene: Scene) -> None:
    """Whatever is done with what was there by then: who comes next has the right bytes."""
    data, gate = scene.data(scene.scale.size), Deferred[None]()
    item = scene.offer(changed(scene.honest(data), hold=(len(data) // 2, gate)), data=data)
    scene.crowd(item, [Client(leave_at=MIB), Client(leave_at=2 * MIB)])
    scene.open(gate)
    check_all_right(scene.crowd(item, [Client(), Client()]))
    assert scene.fetches(item) <= 2, f"upstream was asked {scene.fetches(item)} times"


def _refused(row: int, title: str, script: Script, expected: set[int]) -> None:
    @case(row, title)
    def refused(scene: Scene) -> None:
        """Every waiter is told the same, and what it was; an outage is no 404."""
        data = scene.data(4096)
        item = scene.offer(last=changed(script, delay=0.3), data=data)
        began = time.monotonic()
        clients = scene.crowd(item, [Client() for _ in range(120)], 30)
        statuses = {client.status for client in clients}
        assert statuses <= expected, f"clients saw {sorted(statuses)}"
        assert len(statuses) == 1, f"clients saw different things: {sorted(statuses)}"
        assert time.monotonic() - began < 25, "they waited for it one after the other"


_refused(9, "404 before headers", Script(b"no", 404), {404})
_refused(9, "401 before headers", challenge('Basic realm="x"'), {401, 403})
_refused(9, "403 before headers", Script(b"no", 403), {401, 403})
_refused(9, "429 before headers", Script(b"no", 429), {429})
_refused(9, "503 before headers", Script(b"no", 503), {502, 503, 504})
_refused(9, "no answer at all", no_answer(), {502, 503, 504})


@case(10, "one digest by two names, one of them refused", both_framings=True)
def two_names(scene: Scene) -> None:
    """Each name is answered by what its own upstream says."""
    first = scene.offer(name=f"{scene.name}/one")
    second = scene.offer(name=f"{scene.name}/two", data=first.data)
    third = scene.offer(name=f"{scene.name}/three", data=first.data, last=Script(b"no", 403))
    clients = [Client(), Client(path=second.path), Client(path=third.path), Client(), Client(path=second.path)]
    scene.crowd(first, clients)
    check_all_right([client for client in clients if client is not clients[2]])
    assert clients[2].status in {401, 403}, f"the refused name was answered with {clients[2].status}"
    assert scene.get(third).status in {401, 403}, "what is held under one name is shown under another that is refused"


@case(11, "GET, HEAD, Range and GET at once on a cold artifact")
def mixed_methods(scene: Scene) -> None:
    """One fill; HEAD waits for no body."""
    data, gate = scene.data(scene.scale.size), Deferred[None]()
    item = scene.offer(changed(scene.honest(data), hold=(len(data) // 2, gate)), data=data)
    gets = [Client(), Client(fields=(f"Range: bytes=1024-{MIB}",)), Client()]
    running = scene.beside(scene.crowd, item, gets)
    try:
        head = scene.get(item, method="HEAD", seconds=10)
    finally:
        scene.open(gate)
    check_all_right(running.result())
    assert (head.status, head.headers.get("content-length")) == (200, str(len(data))), f"HEAD: {head.status} {head.headers}"
    assert scene.fetches(item) == 1, f"upstream was asked {scene.fetches(item)} times"


@case(12, "idle and crawling connections beside normal ones")
def crawling(scene: Scene) -> None:
    """Readers that hardly read and connections that say nothing keep nobody away."""
    item = scene.offer(data=scene.data(4 * MIB))
    silent = [socket.create_connection(("127.0.0.1", scene.port)) for _ in range(scene.scale.clients)]
    crawlers = [Client(rate=4096) for _ in range(scene.scale.clients)]
    crawl = scene.beside(scene.crowd, item, crawlers)
    try:
        check_all_right(scene.crowd(item, [Client() for _ in range(20)]))
        assert not any(client.ended for client in crawlers), "a crawling client was dropped"
    finally:
        for client in crawlers:
            client.rate = 1e12
        check_truth(crawl.result())
        for sock in silent:
            sock.close()
    assert scene.fetches(item) == 1, f"upstream was asked {scene.fetches(item)} times"
