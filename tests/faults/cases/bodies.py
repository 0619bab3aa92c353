"""Group B, first half: bodies that end too soon, too late or not at all, and what a resumed one may be made of."""

from collections.abc import Sequence

from tests.fakes.crowd import Client
from tests.fakes.plays import Honest, changed, raw
from tests.fakes.upstream import Answers, Script, Seen
from tests.faults.scene import KIB, Item, Scene, case, check_all_right, check_truth

FOLLOWERS = 5
TOLD = {502, 503, 504}
"""Statuses by which clients are told that upstream is at fault."""


def _followed(scene: Scene, *acts: Answers, data: bytes, last: Answers | None = None) -> Item:
    """Let followers meet a fault: nobody may have a complete, wrong artifact, and the next client has the right one."""
    item = scene.offer(*acts, data=data, last=last)
    _met(scene, item)
    return item


def _met(scene: Scene, item: Item) -> Sequence[Client]:
    """Followers, and what came of them."""
    clients = scene.crowd(item, [Client() for _ in range(FOLLOWERS)])
    check_truth(clients)
    return clients


def _check_continued(scene: Scene, item: Item, clients: Sequence[Client], *parts: int) -> None:
    """What has a length is continued, and nobody notices; what has none is visibly aborted, before or behind the head."""
    if scene.continues and not scene.chunked:
        check_all_right(clients)
        scene.check_asked(item, *parts)
    elif scene.continues:
        statuses = {client.status for client in clients if client.clean and not client.right}
        assert statuses <= TOLD, f"clients saw {sorted(statuses)}"


def _cut(title: str, where: float, *, reset: bool, size: int | None = None) -> None:
    @case(13, f"{'RST' if reset else 'FIN'} {title}", both_framings=True)
    def cut(scene: Scene) -> None:
        """Resumed with the right bytes, begun anew, or visibly aborted; then it can be had."""
        data = scene.data(size)
        at = int(where * len(data)) if 0 <= where <= 1 else len(data) - 1 if where < 0 else int(where)
        item = scene.offer(changed(scene.honest(data), cut=at, reset=reset), data=data)
        clients = _met(scene, item)
        _check_continued(scene, item, clients, *[at] * (scene.fetches(item) > 1 or at < len(data)))
        scene.check_mended(item)
        scene.check_kept(item)


for _reset in (False, True):
    _cut("before the first byte", 0.0, reset=_reset)
    _cut("after one byte", 2, reset=_reset)
    _cut("in the middle", 0.5, reset=_reset)
    _cut("before the last byte", -1, reset=_reset)
    _cut("after the last byte", 1.0, reset=_reset)
    _cut("in the middle of a small one", 0.5, reset=_reset, size=4 * KIB)


def _cut_headers(title: str, *, reset: bool) -> None:
    @case(13, f"{title} inside the headers")
    def cut_headers(scene: Scene) -> None:
        """Half a head is no answer: it is asked for again, or clients are told."""
        data = scene.data()
        half = raw(b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Le", reset=reset)
        item = scene.offer(half, data=data)
        statuses = {client.status for client in _met(scene, item) if not client.right}
        assert not scene.continues or statuses <= TOLD, f"clients saw {sorted(statuses)}"
        scene.check_mended(item)


_cut_headers("FIN", reset=False)
_cut_headers("RST", reset=True)


@case(13, "cut again and again", both_framings=True)
def cut_often(scene: Scene) -> None:
    """Each attempt brings some more; the end is right or visibly none."""
    data = scene.data()
    piece = max(1, len(data) // 8)
    item = scene.offer(*[changed(scene.honest(data), cut=piece, reset=bool(number % 2)) for number in range(4)], data=data)
    parts = [piece * number for number in range(1, 5)]
    _check_continued(scene, item, _met(scene, item), *parts)
    scene.check_mended(item)


@case(14, "no final chunk")
def no_final_chunk(scene: Scene) -> None:
    """The end of the connection is no end of a body."""
    data = scene.data()
    scene.check_mended(_followed(scene, Script(data, framing="chunked", cut=len(data) // 2), data=data))


@case(14, "neither length nor chunks, cut short")
def no_framing(scene: Scene) -> None:
    """A body that only the end of the connection ends cannot be known to be complete."""
    data = scene.data()
    scene.check_mended(_followed(scene, Script(data, framing="close", cut=len(data) // 2), data=data))


def _resumed(title: str, answer: str) -> None:
    @case(15, f"cut, then {title}", both_framings=True)
    def resumed(scene: Scene) -> None:
        """Nothing of one body is put behind another; the artifact can be had afterwards."""
        data = scene.data()
        other = bytes(reversed(data))
        honest = scene.honest(data)
        answers: dict[str, Answers] = {
            "ignored": scene.honest(data, ranges=False),
            "new": scene.honest(other),
            "same": scene.honest(other, etag=honest.etag),
            "failed": Script(b"", 412),
            "refused": Script(b"", 416),
            "shifted": _shifted(honest),
            "shorter": _shorter(honest),
        }
        item = scene.offer(changed(honest, cut=len(data) // 2, reset=True), answers[answer], data=data)
        _check_refused(scene, item, _met(scene, item), len(data) // 2)


def _check_refused(scene: Scene, item: Item, clients: Sequence[Client], part: int) -> None:
    """The rest was asked for; whoever does not have it all has been cut, nothing of it is stored, and it can be had."""
    asked = scene.fetches(item)
    right = any(client.right for client in clients)
    if scene.continues and not scene.chunked and not right:
        scene.check_asked(item, part)
    scene.check_mended(item)
    assert not scene.continues or right or scene.fetches(item) > asked, "what was refused is stored"


def _shifted(honest: Honest) -> Answers:
    """A part that does not begin where it was asked for."""

    def answer(seen: Seen) -> Script:
        script = honest(seen)
        if script.status != 206:
            return script
        return Script(
            honest.body[:-1], 206, {**script.headers, "content-range": f"bytes 0-{len(honest.body) - 2}/{len(honest.body)}"}
        )

    return answer


def _shorter(honest: Honest) -> Answers:
    """A part that says that it is all, and is not."""

    def answer(seen: Seen) -> Script:
        script = honest(seen)
        return changed(script, body=script.body[:1000], length=None)(seen) if script.status == 206 else script

    return answer


_resumed("Range ignored", "ignored")
_resumed("another ETag", "new")
_resumed("the same ETag with other bytes", "same")
_resumed("412", "failed")
_resumed("416", "refused")
_resumed("a part of another place", "shifted")
_resumed("a part that is too short", "shorter")


@case(16, "cut after bytes were sent, whole again on retry", both_framings=True)
def never_twice(scene: Scene) -> None:
    """No client sees a byte twice, whatever is tried behind the scenes."""
    data = scene.data()
    whole = scene.honest(data, ranges=False)
    item = scene.offer(changed(whole, cut=len(data) // 4), changed(whole, cut=len(data) // 2), data=data, last=whole)
    clients = _met(scene, item)
    assert not any(client.wrong for client in clients), "a client was sent other bytes than the origin's"
    _check_refused(scene, item, clients, len(data) // 4)


@case(17, "one flipped bit", both_framings=True)
def flipped_bit(scene: Scene) -> None:
    """Nobody has it complete, nothing is stored, the next one is right."""
    data = scene.data()
    honest = scene.honest(data)
    bad = changed(honest, flip=scene.chance.randrange(len(data)))
    scene.check_mended(_followed(scene, bad, data=data))


@case(17, "one flipped bit of a small one", both_framings=True)
def flipped_small(scene: Scene) -> None:
    """A body that is wrong and short is not begun."""
    data = scene.data(4 * KIB)
    scene.check_mended(_followed(scene, changed(scene.honest(data), flip=17), data=data))


@case(17, "another artifact, longer", both_framings=True)
def longer(scene: Scene) -> None:
    """The right bytes and more behind them are not the artifact."""
    data = scene.data()
    scene.check_mended(_followed(scene, scene.honest(data + b"more"), data=data))


@case(17, "another artifact, shorter", both_framings=True)
def shorter(scene: Scene) -> None:
    """A part of the right bytes is not the artifact."""
    data = scene.data()
    scene.check_mended(_followed(scene, scene.honest(data[: len(data) // 2]), data=data))


@case(17, "a client resumes after wrong bytes")
def resumed_by_client(scene: Scene) -> None:
    """A client that asks for the rest of what it was cut from does not end up with a wrong whole."""
    data = scene.data()
    item = scene.offer(changed(scene.honest(data), flip=1000), data=data)
    first = scene.get(item)
    assert not first.right, "the flip was not sent"
    got = min(first.got, len(data) - 1)
    second = scene.get(item, f"Range: bytes={got}-")
    prefix_is_wrong = first.wrong and got > 1000
    assert not (second.right and second.status == 206 and prefix_is_wrong), "wrong prefix and right rest make a wrong file"


@case(18, "Content-Length too short")
def length_short(scene: Scene) -> None:
    """What lies behind the promised length is not in it, and the rest is not the artifact."""
    data = scene.data()
    scene.check_mended(_followed(scene, Script(data, length=len(data) // 2), data=data))


@case(18, "Content-Length too long")
def length_long(scene: Scene) -> None:
    """A promise that is not kept is seen."""
    data = scene.data()
    scene.check_mended(_followed(scene, Script(data, length=len(data) + 1), data=data))


@case(18, "stray bytes behind the body")
def extra_bytes(scene: Scene) -> None:
    """They are no part of it, and not the next answer."""
    data, stray = scene.data(), b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nWRONG"
    item = _followed(scene, changed(scene.honest(data), extra=stray), data=data)
    scene.check_mended(item)
    for _ in range(3):
        scene.check_mended(scene.offer(data=scene.data(4 * KIB)))


def _raw_body(title: str, fields: bytes, body: bytes) -> None:
    @case(18, title)
    def raw_body(scene: Scene) -> None:
        """An answer whose length cannot be told is none."""
        data = scene.data(256 * KIB)
        sent = body.replace(b"DATA", data).replace(b"SIZE", b"%x" % len(data))
        head = b"HTTP/1.1 200 OK\r\n" + fields.replace(b"LENGTH", b"%d" % len(data)) + b"\r\n"
        scene.check_mended(_followed(scene, raw(head + sent), data=data))


_CHUNKED = b"Transfer-Encoding: chunked\r\n"
_raw_body("a chunk size that is none", _CHUNKED, b"xyz\r\nDATA\r\n0\r\n\r\n")
_raw_body("a negative chunk size", _CHUNKED, b"-5\r\nDATA\r\n0\r\n\r\n")
_raw_body("no line end behind a chunk", _CHUNKED, b"SIZE\r\nDATA0\r\n\r\nmore and more")
_raw_body("length and chunks", b"Content-Length: 5\r\n" + _CHUNKED, b"SIZE\r\nDATA\r\n0\r\n\r\n")
_raw_body("two lengths", b"Content-Length: 5\r\nContent-Length: LENGTH\r\n", b"DATA")
_raw_body("a negative length", b"Content-Length: -5\r\n", b"DATA")


@case(18, "an honest answer in small pieces", both_framings=True)
def small_pieces(scene: Scene) -> None:
    """However a body arrives, it is the same body."""
    data = scene.data(8 * KIB)
    item = scene.offer(changed(scene.honest(data), pace=(100, 0.002)), data=data)
    assert scene.get(item).right, "a slow but honest answer was not passed on"
    scene.check_kept(item)
