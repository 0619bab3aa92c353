"""TLS to an upstream over real sockets: whom we trust, what we show, and what happens when files change."""

from collections.abc import Callable
from pathlib import Path

import pytest
import pytest_twisted
from attrs import frozen
from OpenSSL import SSL
from twisted.internet import reactor
from twisted.internet.interfaces import IOpenSSLContextFactory
from twisted.internet.threads import deferToThread
from zope.interface import implementer

from regproxy.errors import Kind, RegproxyError
from regproxy.model.settings import ClientCertificate, Configuration
from regproxy.upstream.interface import Question
from tests.fakes.asking import Bucket, get, upstream_for
from tests.fakes.certificates import Authority, Pair, ServerContext
from tests.fakes.process import Regproxy
from tests.fakes.upstream import FakeUpstream, Script, redirect
from tests.wire.test_life import get as get_over_http


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Who signs."""
    return Authority.make(tmp_path)


def serving(context: object) -> FakeUpstream:
    """An upstream that speaks TLS."""
    return FakeUpstream(reactor, {"/x": Script(b"x" * 300_000)}, tls=context).start()


def showing(pair: Pair, alias: str = "mine") -> Configuration:
    """A configuration with a client certificate."""
    return Configuration(certificate=(ClientCertificate(alias=alias, certificate=str(pair.certificate), key=str(pair.key)),))


@pytest_twisted.ensureDeferred
async def test_own_authority(authority: Authority) -> None:
    """A server of our own authority is trusted with ``caFile``, and its bodies are whole."""
    fake = serving(ServerContext(authority.server()))
    upstream = upstream_for(reactor, fake.url(), ca_file=str(authority.path))
    assert await get(upstream, fake.url("/x")) == (200, b"x" * 300_000)
    assert await get(upstream, fake.url("/x")) == (200, b"x" * 300_000)
    assert fake.connections == 1
    await upstream.close()
    await fake.stop()


@implementer(IOpenSSLContextFactory)
@frozen
class OldTls:
    """A server that knows TLS 1.1 at most."""

    pair: Pair

    def getContext(self) -> SSL.Context:  # noqa: N802 - Twisted's name
        """Make it."""
        context = ServerContext(self.pair).getContext()
        context.set_cipher_list(b"ALL:@SECLEVEL=0")
        context.set_min_proto_version(SSL.TLS1_VERSION)
        context.set_max_proto_version(SSL.TLS1_1_VERSION)
        return context


def bad_servers(authority: Authority, folder: Path) -> dict[str, object]:
    """Servers that nobody should talk to."""
    (folder / "foreign").mkdir()
    foreign = Authority.make(folder / "foreign")
    return {
        "other name": ServerContext(authority.server("name", "example.test")),
        "expired": ServerContext(authority.server("expired", days=-1)),
        "unknown authority": ServerContext(foreign.server()),
        "client certificate": ServerContext(authority.client()),
        "old": OldTls(authority.server("old")),
    }


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize("which", ["other name", "expired", "unknown authority", "client certificate", "old"])
async def test_refused(authority: Authority, tmp_path: Path, which: str) -> None:
    """These servers get no request, and count as an outage."""
    fake = serving(bad_servers(authority, tmp_path)[which])
    upstream = upstream_for(reactor, fake.url(), ca_file=str(authority.path))
    with pytest.raises(RegproxyError) as caught:
        await get(upstream, fake.url("/x"), patience=5.0)
    assert (caught.value.kind, fake.requests, upstream.assumed_offline) == (Kind.UPSTREAM_DOWN, [], True)
    await fake.stop()


@pytest_twisted.ensureDeferred
async def test_system_store(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without ``caFile`` the system's authorities count; SSL_CERT_FILE says which those are."""
    fake = serving(ServerContext(authority.server()))
    untrusting = upstream_for(reactor, fake.url())
    with pytest.raises(RegproxyError):
        await get(untrusting, fake.url("/x"))
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.path))
    upstream = upstream_for(reactor, fake.url())
    assert (await get(upstream, fake.url("/x")))[0] == 200
    await upstream.close()
    await fake.stop()


@pytest_twisted.ensureDeferred
async def test_client_certificate(authority: Authority) -> None:
    """The certificate is shown where it is configured; another remote of the same host never rides on that connection."""
    context = ServerContext(authority.server(), authority)
    fake = serving(context)
    configuration = showing(authority.client("alice"))
    upstream = upstream_for(reactor, fake.url(), configuration, ca_file=str(authority.path), client_tls_certificate="mine")
    assert (await get(upstream, fake.url("/x")))[0] == 200
    nobody = upstream_for(reactor, fake.url(), configuration, ca_file=str(authority.path))
    with pytest.raises(RegproxyError) as caught:
        await get(nobody, fake.url("/x"), patience=5.0)
    assert (caught.value.kind, len(fake.requests), context.shown) == (Kind.UPSTREAM_DOWN, 1, ["alice"])
    await upstream.close()
    await fake.stop()


@pytest_twisted.ensureDeferred
async def test_rotation(authority: Authority) -> None:
    """A certificate that was replaced on disk is shown by the next request; one that is broken is not."""
    context = ServerContext(authority.server(), authority)
    fake = serving(context)
    pair = authority.client("alice")
    upstream = upstream_for(reactor, fake.url(), showing(pair), ca_file=str(authority.path), client_tls_certificate="mine")
    await get(upstream, fake.url("/x"))
    newer = authority.client("bob")
    pair.certificate.write_bytes(newer.certificate.read_bytes())
    pair.key.write_bytes(newer.key.read_bytes())
    assert (await get(upstream, fake.url("/x")))[0] == 200
    pair.key.write_bytes(b"nonsense")
    assert (await get(upstream, fake.url("/x")))[0] == 200
    assert context.shown == ["alice", "bob"]
    await upstream.close()
    await fake.stop()


TWO = """
[[certificate]]
alias = "{key}"
certificate = "{pair.certificate}"
key = "{pair.key}"

[[repository]]
key = "{key}"
rclass = "remote"
packageType = "generic"
url = "{url}"
caFile = "{authority}"
clientTlsCertificate = "{key}"
assumedOfflinePeriodSecs = 0
"""


@pytest_twisted.ensureDeferred
async def test_an_expired_certificate(authority: Authority, twist_regproxy: Callable[..., Regproxy]) -> None:
    """Who asks is told that it has expired, others are served meanwhile, and so is he once it is replaced on disk."""
    context = ServerContext(authority.server(), authority)
    fake = serving(context)
    old, good = authority.client("old", days=-1), authority.client("good")
    url, path = fake.url("").rstrip("/"), authority.path
    text = "".join(TWO.format(key=key, pair=pair, url=url, authority=path) for key, pair in (("old", old), ("good", good)))

    def play() -> None:
        regproxy = twist_regproxy(text)
        for _ in range(2):
            status, body = get_over_http(regproxy, "/old/x")
            assert (status, b"refuses TLS with us: certificate expired" in body) == (503, True), body
        assert get_over_http(regproxy, "/good/x") == (200, b"x" * 300_000)
        newer = authority.client("newer")
        old.certificate.write_bytes(newer.certificate.read_bytes())
        old.key.write_bytes(newer.key.read_bytes())
        assert get_over_http(regproxy, "/old/x") == (200, b"x" * 300_000)

    await deferToThread(play)
    assert (context.shown, len(fake.requests)) == (["good", "newer"], 2)
    await fake.stop()


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize("to_all", [False, True])
async def test_only_the_host_of_a_redirect_wants_a_certificate(authority: Authority, *, to_all: bool) -> None:
    """It is not shown abroad, and the error says who refused and why; with ``allowAnyHostAuth`` it is. Home is none the worse."""
    pair, context = authority.server(), ServerContext(authority.server("abroad"), authority)
    abroad = FakeUpstream(reactor, {"/blob": Script(b"blob")}, host="localhost", tls=context).start()
    home = FakeUpstream(reactor, {"/x": redirect(abroad.url("/blob")), "/own": Script(b"own")}, tls=ServerContext(pair)).start()
    more = {"ca_file": str(authority.path), "client_tls_certificate": "mine", "allowed_hosts": ("localhost",)}
    upstream = upstream_for(reactor, home.url(), showing(authority.client("alice")), **more, allow_any_host_auth=to_all)
    if to_all:
        assert await get(upstream, home.url("/x")) == (200, b"blob")
    else:
        with pytest.raises(RegproxyError, match=r"localhost:\d+ refuses TLS with us: certificate required"):
            await get(upstream, home.url("/x"))
    assert (context.shown, len(abroad.requests)) == ((["alice"], 1) if to_all else ([], 0))
    assert (await get(upstream, home.url("/own")), upstream.doubtful) == ((200, b"own"), False)
    await upstream.close()
    await home.stop()
    await abroad.stop()


@pytest_twisted.ensureDeferred
async def test_abort_is_immediate(authority: Authority) -> None:
    """Over TLS too nothing comes after a cancelled delivery."""
    fake = FakeUpstream(reactor, {"/x": Script(bytes(32 << 20))}, tls=ServerContext(authority.server())).start()
    upstream = upstream_for(reactor, fake.url(), ca_file=str(authority.path))
    reply = await upstream.ask(Question(fake.url("/x")))
    bucket = Bucket()
    done = reply.source.deliver(bucket)
    done.addErrback(lambda _: None)
    bucket.resumable.pauseProducing()
    done.cancel()
    await fake.stop()
    assert (len(bucket.data) < 1 << 20, upstream.connections) == (True, 0)
    await upstream.close()


@pytest.mark.parametrize("broken", ["missing", "empty", "nonsense", "other key", "no alias", "ca"])
def test_broken_files(authority: Authority, tmp_path: Path, broken: str) -> None:
    """Files that cannot be used are named by what they are for, not by where they lie."""
    pair = authority.client("alice")
    settings = {"client_tls_certificate": "mine"}
    match broken:
        case "missing":
            pair.key.unlink()
        case "empty":
            pair.certificate.write_bytes(b"")
        case "nonsense":
            pair.certificate.write_bytes(b"nonsense")
        case "other key":
            pair.key.write_bytes(authority.client("bob").key.read_bytes())
        case "no alias":
            settings = {"client_tls_certificate": "theirs"}
        case _:
            settings = {"ca_file": str(tmp_path / "none.pem")}
    with pytest.raises(RegproxyError) as caught:
        upstream_for(reactor, "https://127.0.0.1/", showing(pair), **settings)
    assert caught.value.kind == Kind.INVALID
    assert str(tmp_path) not in caught.value.text
