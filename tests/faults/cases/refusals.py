"""Group D: statuses, credentials and redirects."""

import time

from tests.fakes.crowd import Client
from tests.fakes.plays import Honest, Play, changed
from tests.fakes.upstream import Answers, Script, Seen, challenge, redirect
from tests.faults.scene import KIB, MIB, Scene, case, check_all_right, check_truth, wait_for


def _storm(status: int) -> None:
    @case(29, f"a storm of {status}")
    def storm(scene: Scene) -> None:
        """A status of one artifact is not remembered beyond its time, and keeps no other away."""
        item = scene.offer(data=scene.data(4 * KIB))
        honest = scene.upstream.answers[item.path]
        scene.upstream.answers[item.path] = Script(b"no", status)
        clients = scene.crowd(item, [Client() for _ in range(30)])
        assert not any(client.status == 200 for client in clients), "something was served that upstream refused"
        if status >= 429:
            assert 404 not in {client.status for client in clients}, "an outage was told as 404"
        assert scene.get(scene.offer(data=scene.data(4 * KIB))).right, "another artifact was refused, too"
        scene.upstream.answers[item.path] = honest
        seconds = scene.scale.idle if status != 404 else 40.0
        wait_for(lambda: scene.get(item).right, seconds, f"{status} is still believed after {seconds:g} s")


for _status in (403, 404, 429, 500, 502, 503):
    _storm(_status)


def _busy(title: str, status: int) -> None:
    @case(30, f"{title}, nothing cached")
    def uncached(scene: Scene) -> None:
        """It is passed on, with the time to wait; then it can be had."""
        item = scene.offer_tag(*[Script(b"no", status, {"retry-after": "1"})] * 3)
        client = scene.get(item)
        assert client.status == status, f"status {client.status}"
        assert client.headers.get("retry-after") == "1", f"Retry-After: {client.headers.get('retry-after')}"
        other = scene.offer(data=scene.data(4 * KIB))
        assert scene.get(other).right, "an artifact was refused, too"
        time.sleep(1.1)
        scene.check_mended(item)

    @case(30, f"{title}, a copy is cached")
    def cached(scene: Scene) -> None:
        """The copy stands in."""
        item = scene.offer_tag()
        assert scene.get(item).right, "it cannot be had while all is well"
        time.sleep(max(1.1, scene.scale.settle))
        honest = scene.upstream.answers[item.path]
        scene.upstream.answers[item.path] = Script(b"no", status, {"retry-after": "1"})
        client = scene.get(item)
        scene.upstream.answers[item.path] = honest
        assert client.right, f"status {client.status}"
        time.sleep(1.1)


_busy("429 with Retry-After", 429)
_busy("503 with Retry-After", 503)


@case(31, "a token expires in the middle of a body")
def token(scene: Scene) -> None:
    """One new token, and the body goes on; nobody notices."""
    data = scene.data()
    honest, tokens = scene.honest(data), ["first", "second", "third"]
    realm = f"/token/{scene.name}-{scene.seed}"
    valid = {"now": ""}
    cuts = [True]

    def hand_out(seen: Seen) -> Script:
        del seen
        valid["now"] = tokens.pop(0)
        body = b'{"token":"%s","expires_in":300}' % valid["now"].encode()
        return Script(body, headers={"content-type": "application/json"})

    def guarded(seen: Seen) -> Script:
        if not valid["now"] or seen.headers.get("authorization") != f"Bearer {valid['now']}":
            where = scene.upstream.url(realm)
            return challenge(f'Bearer realm="{where}",service="x",scope="repository:{scene.name}:pull"')
        if seen.method == "GET" and cuts:
            cuts.pop()
            valid["now"] = "expired"
            return changed(honest, cut=len(data) // 2)(seen)
        return honest(seen)

    scene.upstream.answers[realm] = hand_out
    item = scene.offer(data=data, last=guarded)
    clients = scene.crowd(item, [Client() for _ in range(5)])
    check_all_right(clients)
    assert len(tokens) == 1, f"{3 - len(tokens)} tokens were asked for"


@case(32, "signed URLs expire before the rest is asked for", both_framings=True)
def signed(scene: Scene) -> None:
    """The rest is asked for from the first hop on, whenever an address has expired; no credential goes to the other host."""
    assert scene.other is not None
    data, elsewhere = scene.data(), scene.other
    honest, path = scene.honest(data), f"/signed/{scene.name}-{scene.seed}"
    signatures, valid = iter(range(1000)), set[str]()

    def sign(seen: Seen) -> Script:
        del seen
        url = f"{path}?sig={next(signatures)}"
        valid.add(url)
        return redirect(elsewhere.url(url), 307)

    def serve(seen: Seen) -> Script:
        """The first address breaks off, and so does the second one, which had brought a part: it is asked first again."""
        if seen.path not in valid:
            return Script(b"expired", 403)
        if seen.path.endswith(("sig=0", "sig=1")) and seen.method == "GET":
            valid.remove(seen.path)
            return changed(honest, cut=len(data) // 4)(seen)
        return honest(seen)

    elsewhere.answers[path] = serve
    item = scene.offer(data=data, last=sign)
    clients = [Client(), Client(), Client(fields=("Authorization: Basic dTpw",))]
    check_truth(scene.crowd(item, clients))
    if scene.continues and not scene.chunked:
        check_all_right(clients[:2])
        parts = [len(data) // 4, len(data) // 2, len(data) // 2]
        scene.check_asked(item, *parts, hop=elsewhere, path=path)
        scene.check_asked(item, parts[0], parts[1])
    scene.check_mended(item)
    assert not any("authorization" in seen.headers for seen in elsewhere.requests), "a credential went to another host"


@case(32, "a signed URL on another host")
def signed_once(scene: Scene) -> None:
    """The redirect is followed behind the scenes, and what it brought is stored."""
    assert scene.other is not None
    data = scene.data(MIB)
    path = f"/signed-once/{scene.name}-{scene.seed}"
    scene.other.answers[path] = scene.honest(data)
    item = scene.offer(data=data, last=redirect(scene.other.url(f"{path}?sig=1"), 307))
    check_all_right([scene.get(item)])
    scene.check_kept(item)


def _forbidden(title: str, where: str) -> None:
    @case(33, f"a redirect to {title}")
    def forbidden(scene: Scene) -> None:
        """It is not followed, nothing is sent there, and the client is told that upstream is at fault."""
        assert scene.canary is not None
        target = where.replace("CANARY", f"{scene.canary.host}:{scene.canary.port}")
        item = scene.offer(data=scene.data(4 * KIB), last=redirect(target))
        client = scene.get(item, seconds=20)
        assert client.status >= 500, f"status {client.status}"
        assert scene.canary.requests == [], "a private address was asked on upstream's word"


_forbidden("a link-local address", "http://169.254.169.254/latest/meta-data/")
_forbidden("another loopback address", "http://CANARY/secret")
_forbidden("a file", "file:///etc/passwd")
_forbidden("an address with credentials in it", "http://user:pass@CANARY/secret")


@case(33, "redirects in a circle")
def circle(scene: Scene) -> None:
    """It ends, soon, as upstream's fault."""
    first, second = f"/circle/{scene.seed}/1", f"/circle/{scene.seed}/2"
    scene.upstream.answers[first], scene.upstream.answers[second] = redirect(second), redirect(first)
    item = scene.offer(data=scene.data(4 * KIB), last=redirect(first))
    client = scene.get(item, seconds=20)
    assert client.status >= 500, f"status {client.status}"


@case(33, "a bearer realm on a foreign host")
def realm(scene: Scene) -> None:
    """No credential, and no question, goes there."""
    assert scene.canary is not None
    where = f"http://{scene.canary.host}:{scene.canary.port}/token"
    refusing: Answers = challenge(f'Bearer realm="{where}",service="x"')
    item = scene.offer(data=scene.data(4 * KIB), last=refusing)
    client = scene.get(item, seconds=20)
    assert client.status >= 400, f"status {client.status}"
    assert scene.canary.requests == [], "a token was asked for at a private address on upstream's word"


@case(29, "absent, then there")
def appears(scene: Scene) -> None:
    """Many absent things, and one that comes: absence is believed for a while only."""
    items = [scene.offer(data=scene.data(1 * KIB), last=Script(b"no", 404)) for _ in range(50)]
    assert {scene.get(item).status for item in items} == {404}
    scene.upstream.answers[items[0].path] = Play([], Honest(items[0].data))
    wait_for(lambda: scene.get(items[0]).right, 40.0, "it is still said to be absent after 40 s")
