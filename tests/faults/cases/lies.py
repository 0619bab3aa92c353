"""Group B, second half: answers that are whole and well framed, and not what was asked for."""

import gzip
import hashlib

from twisted.internet.defer import Deferred

from tests.fakes.crowd import Client
from tests.fakes.plays import changed, raw
from tests.fakes.upstream import Answers, Script, Seen
from tests.faults.scene import KIB, MIB, Scene, case, check_truth

PORTAL = b"<!DOCTYPE html><html><body>Please sign in to the network.</body></html>"
SETTINGS = b"\x00\x00\x12\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x64\x00\x04\x00\x10\x00\x00\x00\x06\x00\x01\x00\x00"


def _in_place(row: int, title: str, answer: Answers, size: int | None = None) -> None:
    @case(row, title)
    def in_place(scene: Scene) -> None:
        """It is not taken for the artifact, by nobody and not for later."""
        item = scene.offer(answer, data=scene.data(size))
        clients = scene.crowd(item, [Client() for _ in range(3)])
        check_truth(clients)
        assert not any(client.clean and client.body.startswith(PORTAL[:20]) and client.status == 200 for client in clients)
        scene.check_mended(item)
        scene.check_kept(item)


_in_place(19, "a login page with 200", Script(PORTAL, headers={"content-type": "text/html"}))
_in_place(19, "a login page that says octet-stream", Script(PORTAL, headers={"content-type": "application/octet-stream"}))
_in_place(19, "an error page with 200, chunked", Script(PORTAL, headers={"content-type": "text/html"}, framing="chunked"))
_in_place(19, "no byte with 200", Script(b""))
_in_place(19, "no content, 204", Script(status=204))


def _part(seen: Seen) -> Script:
    del seen  # it was a plain GET
    return Script(bytes(1000), 206, {"content-range": "bytes 0-999/4096"})


_in_place(20, "206 to a plain GET", _part, 4 * KIB)
_in_place(20, "206 without Content-Range to a plain GET", Script(bytes(1000), 206), 4 * KIB)


@case(20, "200 to a Range")
def range_ignored(scene: Scene) -> None:
    """A client's range of a cold artifact, before an upstream that knows none."""
    data = scene.data()
    item = scene.offer(data=data, last=scene.honest(data, ranges=False))
    client = scene.get(item, f"Range: bytes={MIB}-{2 * MIB}")
    assert client.right, f"status {client.status}, {client.got} bytes, wrong: {client.wrong}"


@case(20, "a wrong Content-Range to a Range")
def range_shifted(scene: Scene) -> None:
    """An upstream that answers every range with another place."""
    data = scene.data()
    honest = scene.honest(data)

    def shifted(seen: Seen) -> Script:
        if "range" not in seen.headers:
            return honest(seen)
        return Script(data[:1000], 206, {"content-range": f"bytes 0-999/{len(data)}", "etag": honest.etag})

    item = scene.offer(data=data, last=shifted)
    client = scene.get(item, f"Range: bytes={MIB}-{2 * MIB}")
    check_truth([client])
    assert client.status != 206 or client.headers["content-range"].startswith(f"bytes {MIB}-"), client.headers["content-range"]


@case(21, "gzip that nobody asked for")
def surprising_gzip(scene: Scene) -> None:
    """The digest is that of the plain bytes: their compressed form is not the artifact, its length not theirs."""
    data = bytes(4) + scene.data(MIB)
    packed = gzip.compress(data, 1)
    item = scene.offer(Script(packed, headers={"content-encoding": "gzip"}), data=data)
    client = scene.get(item)
    if client.clean and client.status == 200:
        passed_on = client.headers.get("content-encoding") == "gzip" and bytes(client.body) == packed[: len(client.body)]
        assert client.right or passed_on, "compressed bytes without a word of it"
    scene.check_mended(item)


@case(21, "gzip whose own bytes have the digest")
def wire_bytes(scene: Scene) -> None:
    """The bytes of the wire are what is hashed, stored and sent."""
    packed = gzip.compress(scene.data(MIB), 1)
    item = scene.offer(data=packed, last=Script(packed, headers={"content-encoding": "gzip"}))
    client = scene.get(item)
    assert (client.got, client.right) == (len(packed), True), f"{client.got} of {len(packed)} bytes, wrong: {client.wrong}"


@case(22, "HTTP/2 frames in place of an answer")
def frames(scene: Scene) -> None:
    """That connection is worth nothing; the next one is."""
    item = scene.offer(
        raw(SETTINGS), raw(SETTINGS + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nDATA"), data=scene.data(4 * KIB)
    )
    for _ in range(2):
        check_truth([scene.get(item)])
    scene.check_mended(item)


@case(22, "HTTP/2 frames behind an answer")
def frames_behind(scene: Scene) -> None:
    """They reach no other answer."""
    data = scene.data(4 * KIB)
    item = scene.offer(changed(scene.honest(data), extra=SETTINGS), data=data)
    check_truth([scene.get(item)])
    for _ in range(3):
        scene.check_mended(scene.offer(data=scene.data(4 * KIB)))


@case(22, "one stuck connection beside good ones")
def stuck(scene: Scene) -> None:
    """An artifact whose connection stands still keeps no other from coming."""
    data, gate = scene.data(), Deferred[None]()
    held = scene.offer(changed(scene.honest(data), hold=(MIB, gate)), data=data)
    waiting = scene.beside(scene.get, held)
    try:
        for _ in range(5):
            assert scene.get(scene.offer(data=scene.data(64 * KIB)), seconds=10).right, "another artifact did not come"
    finally:
        scene.open(gate)
    check_truth([waiting.result()])


@case(23, "another length than the digest's artifact has", both_framings=True)
def other_length(scene: Scene) -> None:
    """Twice the bytes, well framed: fail closed."""
    data = scene.data(MIB)
    item = scene.offer(scene.honest(data * 2), data=data)
    check_truth(scene.crowd(item, [Client(), Client()]))
    scene.check_mended(item)


@case(23, "a manifest that is not the one of its digest")
def other_manifest(scene: Scene) -> None:
    """A small document asked for by digest is checked, too."""
    good = scene.offer_tag()
    digest = hashlib.sha256(good.data).hexdigest()
    path = f"/v2/{scene.name}/manifests/sha256:{digest}"
    honest = scene.upstream.answers[path]
    assert callable(honest)
    acts: list[Answers] = [changed(honest, body=good.data.replace(b"digest", b"Digest"))]
    scene.upstream.answers[path] = acts + [honest] * 50
    item = type(good)(path, good.data)
    check_truth([scene.get(item)])
    scene.check_mended(item)
