"""Rows 27, 29 and 30 for the mutable documents of every format: stale within the budget, and never a 404 for an outage.

Upstream's troubles are played before one process with a remote of each format for each of them: what one remote learns of its
upstream is not to disturb the next.
"""

import json
import signal
import statistics
import time
import urllib.request
from collections.abc import Callable, Iterator

import pytest
import pytest_twisted
from attrs import evolve, frozen
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from tests.fakes import crowd
from tests.fakes.crowd import Client
from tests.fakes.process import Regproxy
from tests.fakes.upstream import Answers, FakeUpstream, Script, redirect
from tests.faults.scene import MANIFEST, no_answer, wait_for

COMMIT = "0123456789abcdef0123456789abcdef01234567"
BUDGET = 0.5


@frozen
class Mutable:
    """A mutable document of one format: the type of its remote, its paths, and what upstream says."""

    package_type: str
    ours: str
    theirs: str
    answer: Script


def _json(document: object, media_type: str = "application/json") -> Script:
    return Script(json.dumps(document).encode(), headers={"content-type": media_type})


PAGE = {"meta": {"api-version": "1.1"}, "name": "{name}", "versions": [], "files": []}
IMAGE = {"schemaVersion": 2, "mediaType": MANIFEST, "config": {}, "layers": []}
MUTABLES = {
    "generic": Mutable("generic", "/{key}/{name}.txt", "/{name}.txt", Script(b"text", headers={"content-type": "text/plain"})),
    "oci": Mutable("docker", "/v2/{key}/{name}/manifests/latest", "/v2/{name}/manifests/latest", _json(IMAGE, MANIFEST)),
    "huggingface": Mutable(
        "huggingfaceml",
        "/api/huggingfaceml/{key}/api/models/o/{name}/revision/main",
        "/api/models/o/{name}/revision/main",
        _json({"id": "o/m", "sha": COMMIT, "siblings": []}),
    ),
    "pypi": Mutable(
        "pypi", "/api/pypi/{key}/simple/{name}/", "/simple/{name}/", _json(PAGE, "application/vnd.pypi.simple.v1+json")
    ),
}
TROUBLES: dict[str, Answers] = {
    "refused": no_answer(),
    "silent": Script(b"", delay=30.0),
    "busy": Script(b"no", 429, {"retry-after": "30"}),
    "unavailable": Script(b"no", 503, {"retry-after": "30"}),
    "broken": Script(b"no", 500),
    "dead-redirect": redirect("http://127.0.0.1:9/gone"),
    "cut": Script(bytes(200_000), cut=100_000),
}
# A file is streamed while it comes: what breaks behind its headers is cut, where a document would be stale.
CASES = [(form, trouble) for form in MUTABLES for trouble in TROUBLES if (form, trouble) != ("generic", "cut")]


def _remote(form: str, trouble: str, url: str, *more: str) -> str:
    lines = [
        "[[repository]]",
        f'key = "{form}-{trouble}"',
        'rclass = "remote"',
        f'packageType = "{MUTABLES[form].package_type}"',
        f'url = "{url}"',
        "retrievalCachePeriodSecs = 0",
        f"metadataRetrievalTimeoutSecs = {BUDGET}",
        *more,
    ]
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeUpstream]:
    """The upstream of all of them."""
    upstream = FakeUpstream(reactor).start()
    yield upstream
    pytest_twisted.blockon(Deferred.fromCoroutine(upstream.stop()))


@pytest.fixture(scope="module")
def regproxy(tmp_path_factory: pytest.TempPathFactory, fake: FakeUpstream) -> Iterator[Regproxy]:
    """One process with a remote for each case."""
    remotes = [_remote(form, trouble, fake.url("").rstrip("/")) for form, trouble in CASES]
    process = Regproxy(tmp_path_factory.mktemp("outages") / "regproxy", "\n".join(remotes))
    process.start()
    yield process
    process.close()


def get(port: int, path: str, seconds: float = 20.0) -> Client:
    """One download; its body is kept, not compared."""
    client = Client()
    crowd.run(port, path, b"", [client], seconds)
    return client


def _play(regproxy: Regproxy, fake: FakeUpstream, form: str, trouble: str) -> None:
    mutable, key = MUTABLES[form], f"{form}-{trouble}"

    def offer(name: str) -> str:
        theirs = mutable.theirs.format(name=name)
        fake.answers[theirs] = evolve(mutable.answer, body=mutable.answer.body.replace(b"{name}", name.encode()))
        return mutable.ours.format(key=key, name=name)

    held, cold, other = offer(f"held-{trouble}"), offer(f"cold-{trouble}"), offer(f"other-{trouble}")
    good = get(regproxy.port, held)
    assert good.status == 200, bytes(good.body)
    for path in list(fake.answers):
        fake.answers[path] = TROUBLES[trouble]
    took = []
    for _ in range(3):
        stale = get(regproxy.port, held)
        assert (stale.status, stale.body) == (200, good.body)
        assert stale.headers["x-regproxy-cache"] == "stale"
        took.append(stale.took)
    # Compared with a fetch while all was well, on a machine that may be busier by now.
    told = f"a fetch took {good.took:.2f} s, stale copies {took}"
    if trouble == "silent":
        assert max(took) < 6 * (BUDGET + good.took), told
        return  # patience with what is not held is longer than a test of every commit
    assert statistics.median(took) < 3 * good.took + 1, told
    absent = get(regproxy.port, cold)
    assert absent.status in {429, 502, 503, 504}, f"an outage is told as {absent.status}"
    if trouble in {"busy", "unavailable"}:
        asked = len(fake.requests)
        refused = get(regproxy.port, other)
        assert refused.status == {"busy": 429, "unavailable": 503}[trouble]
        assert 0 < int(refused.headers["retry-after"]) <= 30
        assert len(fake.requests) == asked, "it was asked again before its time"
    if trouble == "refused":
        refused = get(regproxy.port, other)
        assert (refused.status, int(refused.headers["retry-after"]) > 0) == (503, True)


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize(("form", "trouble"), CASES)
async def test_mutable_documents(regproxy: Regproxy, fake: FakeUpstream, form: str, trouble: str) -> None:
    """What is held is served, in time; what is not is told as what it is, with the time to wait where that is known."""
    fake.answers.clear()
    await deferToThread(_play, regproxy, fake, form, trouble)


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize("form", list(MUTABLES))
async def test_offline(twist_regproxy: Callable[..., Regproxy], fake: FakeUpstream, form: str) -> None:
    """``offline = true``: upstream is not asked; ``hardFail`` changes nothing outside of virtual repositories."""
    fake.answers.clear()
    mutable, url = MUTABLES[form], fake.url("").rstrip("/")

    def play() -> None:
        process = twist_regproxy(_remote(form, "x", url))
        paths = {name: mutable.ours.format(key=f"{form}-x", name=name) for name in ("held", "cold")}
        for name in paths:
            answer = evolve(mutable.answer, body=mutable.answer.body.replace(b"{name}", name.encode()))
            fake.answers[mutable.theirs.format(name=name)] = answer
        good = get(process.port, paths["held"])
        assert good.status == 200
        process.write_config(_remote(form, "x", url, "offline = true", "hardFail = true"))
        process.signal(signal.SIGHUP)
        wait_for(lambda: "the configuration was reloaded" in process.log, 20, process.tail)
        asked = len(fake.requests)
        began = time.monotonic()
        held, cold = get(process.port, paths["held"]), get(process.port, paths["cold"])
        assert (held.status, held.body, cold.status) == (200, good.body, 503)
        assert (len(fake.requests), time.monotonic() - began < 10) == (asked, True)

    await deferToThread(play)


@pytest_twisted.ensureDeferred
async def test_operators_see_it(regproxy: Regproxy, fake: FakeUpstream) -> None:
    """The metrics count what upstream answered, and where it did not."""

    def read() -> str:
        with urllib.request.urlopen(f"{regproxy.base_url}/metrics", timeout=10) as answer:
            return str(answer.read().decode())

    text = await deferToThread(read)
    assert 'regproxy_upstream_requests_total{code="429",repository="oci-busy"}' in text
    assert 'regproxy_upstream_failures_total{repository="generic-refused"}' in text
