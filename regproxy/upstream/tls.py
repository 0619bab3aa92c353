"""TLS towards one upstream: whom we trust, and which certificate we show.

Hosts that the configuration names are verified by ``caFile`` where it is set; all others by the system's authorities (OpenSSL
reads SSL_CERT_FILE and SSL_CERT_DIR itself). The client certificate is shown to the configured host alone. Files are read again
when they change; if they are broken then, what was read before stays in use. TLS 1.2 is the least that Twisted agrees on.
"""

import os
from collections.abc import Callable
from typing import Any

from attrs import define, field, frozen
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from OpenSSL import SSL, crypto
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.ssl import Certificate, optionsForClientTLS, platformTrust, trustRootFromCertificates
from twisted.web.iweb import IPolicyForHTTPS
from txaio.tx import make_logger
from zope.interface import implementer

from regproxy.errors import Kind, RegproxyError
from regproxy.model.settings import ClientCertificate, Configuration, RepositorySettings
from regproxy.upstream.origin import Origin
from regproxy.upstream.targets import Targets

log = make_logger()
CONTEXTS = 64
"""Hosts that a TLS context is kept for; making one reads all of the system's authorities."""


@frozen
class Material:
    """What was read from files: arguments for ``optionsForClientTLS``."""

    authorities: Any = None
    shown: dict[str, Any] = field(factory=dict)


def read_authorities(path: str) -> Any:
    """Read the certificates of a PEM file as trust roots."""
    with open(path, "rb") as file:  # noqa: PTH123 - a name from the configuration
        found = x509.load_pem_x509_certificates(file.read())
    return trustRootFromCertificates([Certificate(crypto.X509.from_cryptography(each)) for each in found])


def read_identity(certificate: ClientCertificate) -> dict[str, Any]:
    """Read a client certificate, its chain and its key, and check that they belong together."""
    with open(certificate.certificate, "rb") as file:  # noqa: PTH123 - a name from the configuration
        first, *chain = x509.load_pem_x509_certificates(file.read())
    with open(certificate.key, "rb") as file:  # noqa: PTH123 - a name from the configuration
        key = load_pem_private_key(file.read(), None)
    if key.public_key() != first.public_key():
        raise ValueError("certificate and key do not belong together")
    return {
        "privateKey": crypto.PKey.from_cryptography_key(key),  # type: ignore[arg-type] # OpenSSL refuses what it cannot use
        "certificate": crypto.X509.from_cryptography(first),
        "extraCertChain": [crypto.X509.from_cryptography(each) for each in chain],
    }


@define(eq=False)
class Files:
    """The files of one remote: read, and read again when one of them is another than before."""

    _ca_file: str
    _certificate: ClientCertificate | None
    _signature: tuple[object, ...] | None = field(default=None, init=False)
    _material: Material = field(factory=Material, init=False)

    def load(self) -> None:
        """Read.

        Raises:
            RegproxyError: INVALID; the path is in ``detail`` only.
        """
        signature = self._look()
        authorities, shown = None, {}
        named = "caFile"
        try:
            if self._ca_file:
                authorities = read_authorities(self._ca_file)
            if self._certificate is not None:
                named = f"certificate {self._certificate.alias!r}"
                shown = read_identity(self._certificate)
        except (OSError, ValueError, TypeError, SSL.Error, crypto.Error) as error:
            raise RegproxyError(Kind.INVALID, f"{named} cannot be read or used", detail=str(error)) from error
        self._signature, self._material = signature, Material(authorities, shown)

    def refresh(self) -> bool:
        """Read again what changed; whether something did."""
        if self._look() == self._signature:
            return False
        try:
            self.load()
        except RegproxyError as error:
            self._signature = self._look()
            log.error(  # noqa: TRY400 - the text says it all
                "{text}: {detail}; the one before stays in use", text=error.text, detail=error.detail
            )
            return False
        return True

    @property
    def material(self) -> Material:
        """What was read last."""
        return self._material

    def _look(self) -> tuple[object, ...]:
        paths = [self._ca_file, *((self._certificate.certificate, self._certificate.key) if self._certificate else ())]
        return tuple(_stamp(path) for path in paths if path)


def _stamp(path: str) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - a name from the configuration
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


@implementer(IOpenSSLClientConnectionCreator)
@define(eq=False)
class Resuming:
    """Takes up the last session with a host: its certificate was verified then, and is not sent again."""

    _options: Any
    _session: SSL.Session | None = field(default=None, init=False)

    def clientConnectionForTLS(self, protocol: Any) -> SSL.Connection:  # noqa: N802 - Twisted's name
        """One connection's OpenSSL object."""
        connection: SSL.Connection = self._options.clientConnectionForTLS(protocol)
        if self._session is not None:
            connection.set_session(self._session)
        protocol.established = self._remember
        return connection

    def _remember(self, session: SSL.Session | None) -> None:
        self._session = session


@implementer(IPolicyForHTTPS)
@define(eq=False)
class Policy:
    """Makes TLS connections of one upstream. ``changed`` is called when other files are in use than before."""

    _origin: Origin
    _targets: Targets
    _files: Files
    _show_to_all: bool = False
    changed: Callable[[], object] = lambda: None
    _options: dict[tuple[str, int], Any] = field(factory=dict, init=False)

    def creatorForNetloc(self, hostname: bytes, port: int) -> Any:  # noqa: N802 - Twisted's name
        """What wraps a connection to a host in TLS."""
        if self._files.refresh():
            self._options.clear()
            self.changed()
        host = hostname.decode("ascii")
        options = self._options.get((host, port))
        if options is None:
            if len(self._options) >= CONTEXTS:
                self._options.pop(next(iter(self._options)))
            options = self._options[host, port] = self._make(host, port)
        return options

    def _make(self, host: str, port: int) -> Any:
        origin = Origin("https", host, port)
        material = self._files.material
        named = self._targets.named(origin)
        roots = material.authorities if named and material.authorities is not None else platformTrust()
        shown = dict(material.shown) if origin == self._origin or self._show_to_all else {}
        return Resuming(optionsForClientTLS(host, trustRoot=roots, extraCertificateOptions=shown))


def policy_for(settings: RepositorySettings, configuration: Configuration, origin: Origin, targets: Targets) -> Policy:
    """Make the policy of a remote.

    Raises:
        RegproxyError: INVALID, for files that cannot be used and for an alias that nobody declared.
    """
    certificate = None
    if settings.client_tls_certificate:
        found = [each for each in configuration.certificate if each.alias == settings.client_tls_certificate]
        if not found:
            raise RegproxyError(Kind.INVALID, f"there is no certificate {settings.client_tls_certificate!r}")
        certificate = found[0]
    files = Files(settings.ca_file, certificate)
    files.load()
    return Policy(origin, targets, files, settings.allow_any_host_auth)
