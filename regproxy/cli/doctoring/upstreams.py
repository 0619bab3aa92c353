"""Whether upstreams can be reached as the server reaches them: by its own client, with its proxies, authorities and credentials.

Each is asked one small question. What their clocks say tells how far ours is off.
"""

import statistics
import time
from collections.abc import Awaitable, Sequence
from email.utils import parsedate_to_datetime
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.posixbase import PosixReactorBase
from twisted.internet.task import react
from twisted.internet.threads import deferToThread

from regproxy.auto import resolve, run_program
from regproxy.cli.doctoring.finding import Finding, bad, good, warning
from regproxy.config_checks import AUTO
from regproxy.errors import Kind, RegproxyError
from regproxy.formats.pypi.plan import index_url
from regproxy.formats_found import find_formats
from regproxy.model.headers import Headers
from regproxy.model.settings import Configuration, RepositorySettings
from regproxy.upstream.client import make_upstream
from regproxy.upstream.interface import Question

PATIENCE = 20.0
OFF_SECONDS, FAR_OFF_SECONDS = 30.0, 300.0
_REFUSED = frozenset({401, 403})
_TROUBLE = 500
_TOO_MANY = 429


@frozen
class Looked:
    """What came of one, and how far its clock is ahead of ours, if it said."""

    finding: Finding
    ahead: float | None = None


def examine(configuration: Configuration) -> Sequence[Finding]:
    """Ask all of them. Once in a process: it ends the reactor."""
    found: list[Finding] = []

    async def run(reactor: PosixReactorBase) -> None:
        found.extend(await _examine(reactor, configuration))

    try:
        react(run)
    except SystemExit as end:
        if end.code:
            raise
    return found


async def _examine(reactor: PosixReactorBase, configuration: Configuration) -> Sequence[Finding]:
    def run(command: Any) -> "Deferred[str | None]":
        asked: Deferred[str | None] = deferToThread(run_program, command)
        return asked

    resolved = await resolve(configuration, find_formats(), run, lambda _: None, _forget)
    remotes = [each for each in resolved.configuration.repository if each.rclass == "remote"]
    looking = [Deferred.fromCoroutine(_look(reactor, each, resolved.configuration)) for each in remotes]
    looked = await gatherResults(looking)
    return [*(each.finding for each in looked), *_clock([each.ahead for each in looked if each.ahead is not None])]


def _forget(_: str, __: str) -> Awaitable[None]:
    """The doctor changes nothing."""
    done: Deferred[None] = Deferred()
    done.callback(None)
    return done


async def _look(reactor: PosixReactorBase, settings: RepositorySettings, configuration: Configuration) -> Looked:
    subject = f"repository {settings.key}"
    if settings.url == AUTO:
        advice = 'write its address into the configuration: url = "https://…"'
        return Looked(bad(subject, "no client on this machine knows an upstream for it", advice))
    if settings.offline:
        return Looked(good(subject, "is set offline"))
    try:
        upstream = make_upstream(reactor, settings, configuration)
    except RegproxyError as error:
        return Looked(bad(subject, error.text, "look at its url, caFile and clientTlsCertificate"))
    began = time.time()
    try:
        reply = await upstream.ask(Question(_probe(settings), headers=Headers.of(accept="*/*"), patience=PATIENCE))
    except RegproxyError as error:
        return Looked(bad(subject, f"{error.text} ({error.detail})" if error.detail else error.text, _advice(error)))
    finally:
        await upstream.close()
    took = time.time() - began
    reply.source.abort()
    finding = _judged(subject, settings, upstream.name, reply.status, took)
    return Looked(finding, _ahead(reply.headers.first("date"), began + took / 2))


def _probe(settings: RepositorySettings) -> str:
    """Something small that every upstream of its kind has."""
    url = settings.url.rstrip("/")
    match settings.package_type:
        case "docker" | "oci":
            return f"{url}/v2/"
        case "huggingfaceml":
            return f"{url}/api/whoami-v2" if settings.token else f"{url}/api/models?limit=1"
        case "pypi":
            return f"{index_url(settings)}pip/"
    return f"{url}/"


def _judged(subject: str, settings: RepositorySettings, name: str, status: int, took: float) -> Finding:
    text = f"{name} answers {status} in {took:.2f} s"
    shows = settings.username or settings.token or settings.credential_helper
    if status in _REFUSED and shows:
        return bad(subject, f"{name} refuses our credentials ({status})", "look at username, password, token or credentialHelper")
    if status in _REFUSED:
        return warning(subject, text, "if all of it is for its users, set username and passwordFile, or tokenFile")
    if status == _TOO_MANY:
        return warning(subject, f"{name} limits our rate (429)", "with credentials the limit is often higher")
    if status >= _TROUBLE:
        return warning(subject, text, "it is in trouble itself: what is cached is served meanwhile")
    return good(subject, text)


def _advice(error: RegproxyError) -> str:
    text = error.text
    if "TLS" in text or "certificate" in text:
        return "name its authority by caFile; a proxy that opens TLS has one of its own"
    if "credential helper" in text:
        return "run it by hand as the server's user: echo URL | PROGRAM get"
    if "allowedHosts" in text:
        return "name the host in allowedHosts if you trust it"
    if error.kind is Kind.UPSTREAM_SLOW:
        return "a firewall may swallow it: set a proxy, or HTTPS_PROXY"
    return "look at its url, at the resolver (/etc/resolv.conf), the firewall, and HTTPS_PROXY or proxy"


def _ahead(date: str | None, ours: float) -> float | None:
    try:
        return parsedate_to_datetime(date).timestamp() - ours if date else None
    except ValueError:
        return None


def _clock(ahead: Sequence[float]) -> Sequence[Finding]:
    """By the middle one of what upstreams say: one of them may be wrong."""
    if not ahead:
        return []
    off = statistics.median(ahead)
    text = f"upstreams' clocks and ours differ by {abs(off):.0f} s"
    if abs(off) < OFF_SECONDS:
        return [good("clock", text)]
    say = bad if abs(off) > FAR_OFF_SECONDS else warning
    return [say("clock", text, "set it (chronyd, systemd-timesyncd): certificates and tokens depend on it")]
