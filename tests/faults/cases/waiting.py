"""Group C: upstreams that take their time, or have none."""

import socket
import statistics
import time

from twisted.internet.defer import Deferred

from tests.fakes.crowd import Client
from tests.fakes.plays import changed
from tests.fakes.upstream import Answers, Script
from tests.faults.scene import KIB, MIB, Item, Scene, case, check_all_right, check_truth, no_answer, wait_for

LONG = 120.0
"""Seconds of silence that nobody waits for."""


def _stalled(title: str, script: Script) -> None:
    @case(24, title, both_framings=True)
    def stalled(scene: Scene) -> None:
        """It is noticed in time; other artifacts come meanwhile; then this one can be had."""
        data = scene.data(4 * MIB)
        fields = {"stall": script.stall, "pace": script.pace, "delay": script.delay}
        item = scene.offer(changed(scene.honest(data), **fields), data=data)
        waiting = scene.beside(scene.crowd, item, [Client() for _ in range(5)], scene.scale.idle + 10)
        assert scene.get(scene.offer(data=scene.data(64 * KIB)), seconds=10).right, "another artifact did not come"
        try:
            check_truth(waiting.result())
        except TimeoutError as error:
            raise AssertionError(f"upstream says nothing, and clients wait: {error}") from None
        scene.check_mended(item)


_stalled("no byte of the body", Script(stall=0))
_stalled("no byte after the middle", Script(stall=2 * MIB))


@case(24, "no byte of a small body")
def small(scene: Scene) -> None:
    """A client is told, not kept."""
    data = scene.data(4 * KIB)
    item = scene.offer(changed(scene.honest(data), stall=100), data=data)
    try:
        client = scene.get(item, seconds=scene.scale.idle + 10)
    except TimeoutError as error:
        raise AssertionError(f"upstream says nothing, and the client waits: {error}") from None
    check_truth([client])
    assert not scene.continues or client.right or client.status == 504, f"status {client.status}"
    scene.check_mended(item)


@case(25, "a long silence before the headers, clients give up")
def silence(scene: Scene) -> None:
    """The fetch outlives those who asked first: upstream is asked once, or once more."""
    data, gate = scene.data(4 * MIB), Deferred[None]()
    item = scene.offer(changed(scene.honest(data), hold=(0, gate), delay=35.0 if scene.scale.full else 1.5), data=data)
    for _ in range(4):
        with socket.create_connection(("127.0.0.1", scene.port)) as impatient:
            impatient.sendall(f"GET {scene.address(item.path)} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            time.sleep(0.2)
    scene.open(gate)
    check_all_right(scene.crowd(item, [Client(), Client()]))
    assert scene.fetches(item) <= 2, f"upstream was asked {scene.fetches(item)} times"
    scene.check_kept(item)


@case(26, "a slow but steady upstream", both_framings=True)
def steady(scene: Scene) -> None:
    """However long it takes, it arrives and is stored; the limits are of silence, not of time."""
    size = scene.scale.size
    seconds = 140.0 if scene.scale.full else 3.5
    data = scene.data(size)
    item = scene.offer(changed(scene.honest(data), pace=(size // int(seconds * 4), 0.25)), data=data)
    check_all_right(scene.crowd(item, [Client(), Client()], seconds * 3 + 60))
    scene.check_kept(item)


NOISE = 0.06
"""Seconds by which the medians of hits in turn may differ, on a machine that is busy with something else."""


def _hit(scene: Scene, item: Item) -> float:
    """How long it takes; it is right."""
    client = scene.get(item)
    assert client.right, f"status {client.status} after {client.took:.1f} s"
    return client.took


def _median(scene: Scene, item: Item, hits: int) -> float:
    """How long a hit takes."""
    return statistics.median(_hit(scene, item) for _ in range(hits))


def _check_as_quick(quick: float, now: float) -> None:
    """Nothing is added that a client would notice."""
    assert now < 1.5 * quick + NOISE, f"a hit takes {now:.3f} s, it was {quick:.3f} s while upstream was there"


def _outage(title: str, trouble: Answers) -> None:
    @case(27, f"upstream is {title}, the artifact is cached")
    def cached(scene: Scene) -> None:
        """A hit needs nobody: it is as quick as it was, beside clients who wait for what is not held, and asks nothing."""
        item = scene.offer(data=scene.data(MIB))
        check_all_right([scene.get(item)])
        time.sleep(scene.scale.settle)
        honest = scene.upstream.answers[item.path]
        calm: list[float] = []
        troubled: list[float] = []
        for _ in range(3 if scene.continues else 1):  # who is asked again and again may leave upstream alone by himself
            calm += [_hit(scene, item) for _ in range(7)]
            scene.upstream.answers[item.path] = trouble
            cold = [scene.offer(data=scene.data(4 * KIB), last=trouble) for _ in range(3)]
            waiting = [scene.beside(scene.get, each) for each in cold]
            _wait_asked(scene, cold)
            asked = scene.fetches(item)
            troubled += [_hit(scene, item) for _ in range(7)]
            assert (scene.fetches(item), scene.upstream.count(item.path, "HEAD")) == (asked, 0), "a hit asked upstream"
            _end_silence(scene, *cold)
            assert not any(each.result().right for each in waiting)
            scene.upstream.answers[item.path] = honest
        _check_as_quick(statistics.median(calm), statistics.median(troubled))


def _wait_asked(scene: Scene, items: list[Item]) -> None:
    wait_for(lambda: all(map(scene.fetches, items)), scene.scale.seconds, "upstream is not asked for what is not held")


def _end_silence(scene: Scene, *items: Item) -> None:
    for item in items:
        scene.upstream.answers[item.path] = no_answer()
    scene.drop_idle()


_outage("gone", no_answer())
_outage("silent", Script(b"", delay=LONG))


@case(27, "upstream is gone, the tag is cached")
def gone_tag(scene: Scene) -> None:
    """What should have been asked about is served as it was, and as soon."""
    item = scene.offer_tag()
    assert scene.get(item).right, "it cannot be had while all is well"
    quick = _median(scene, item, 5)
    time.sleep(max(1.1, scene.scale.settle))
    scene.upstream.answers[item.path] = no_answer()
    _check_as_quick(quick, _median(scene, item, 5))


@case(27, "upstream is silent, the tag is cached")
def silent_tag(scene: Scene) -> None:
    """A stale copy does not wait for an answer for longer than its budget, which is far less than upstream's silence."""
    item = scene.offer_tag()
    assert scene.get(item).right, "it cannot be had while all is well"
    quick = _median(scene, item, 5)
    time.sleep(max(1.1, scene.scale.settle))
    scene.upstream.answers[item.path] = Script(b"", delay=LONG)
    for _ in range(3):
        client = scene.get(item, seconds=60)
        assert client.right, f"status {client.status} after {client.took:.1f} s"
        assert client.took < 5 + 3 * quick, f"it took {client.took:.1f} s"
    _end_silence(scene, item)


@case(24, "the answers of a gone client's upstream", black_box=False)
def slots(scene: Scene) -> None:
    """Connections of clients that left are not used up: as many as there may be, and more, one after the other."""
    for _ in range(80):
        item = scene.offer(data=scene.data(128 * KIB))
        scene.crowd(item, [Client(leave_at=1)])
    last = scene.offer(data=scene.data(4 * KIB))
    wait_for(lambda: scene.get(last).right, scene.scale.seconds, "nothing comes any more")
