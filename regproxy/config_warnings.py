"""What is no mistake in a configuration and may not be meant: said at the start and by the doctor, and the server works on."""

from collections.abc import Iterator

from attrs import frozen

from regproxy.model.settings import Configuration, Server
from regproxy.web.clients import Trusted


@frozen
class Warned:
    """One thing, and what to do."""

    subject: str
    text: str
    advice: str


def warnings(configuration: Configuration) -> Iterator[Warned]:
    """All that there is to say."""
    access, server = configuration.access, configuration.server
    if not access.anonymous or access.anonymous_write != "loopback":
        return
    trusted = Trusted.of(server.trusted_proxies)
    if any(map(trusted.covers, ("127.0.0.1", "::1"))):
        text = (
            "trustedProxies has this machine's loopback address: who comes from it is a proxy's client, and writes nothing "
            "without a name"
        )
        yield Warned("anonymousWrite", text, 'log in to write, or set anonymousWrite = "never", which says the same')
    elif server.base_url.startswith("https:") and not _speaks_tls(server):
        text = (
            "baseUrl is https and no listener speaks TLS: if the proxy in front is on this machine and does not say for whom "
            "it asks, everybody may write what is open on this machine"
        )
        yield Warned("anonymousWrite", text, 'name it in trustedProxies, or set anonymousWrite = "never"')


def _speaks_tls(server: Server) -> bool:
    return bool(server.listener) or any(text.startswith("ssl:") for text in server.listen)
