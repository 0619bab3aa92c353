"""An authority of the test's own, and what it signs: certificates of servers and of clients, as PEM files."""

import datetime as dt
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Self

from attrs import frozen
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLContextFactory
from zope.interface import implementer

DAY = dt.timedelta(days=1)


@frozen
class Pair:
    """A certificate and its key, as files."""

    certificate: Path
    key: Path


@frozen
class Authority:
    """Signs certificates into a folder."""

    folder: Path
    name: str
    _certificate: x509.Certificate
    _key: ec.EllipticCurvePrivateKey

    @classmethod
    def make(cls, folder: Path, name: str = "authority") -> Self:
        """Begin a new one; its certificate is ``path``."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _name(name)
        certificate = (
            _builder(subject, subject, key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        made = cls(folder, name, certificate, key)
        made.path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        return made

    @property
    def path(self) -> Path:
        """The authority's own certificate."""
        return self.folder / f"{self.name}.pem"

    def server(self, name: str = "server", *hosts: str, days: int = 30) -> Pair:
        """Sign for a server; ``hosts`` are names and addresses, 127.0.0.1 and localhost by default."""
        names = [_host(host) for host in hosts or ("127.0.0.1", "localhost")]
        return self._sign(name, ExtendedKeyUsageOID.SERVER_AUTH, x509.SubjectAlternativeName(names), days)

    def client(self, name: str = "client", days: int = 30) -> Pair:
        """Sign for a client; ``name`` is its common name."""
        return self._sign(name, ExtendedKeyUsageOID.CLIENT_AUTH, None, days)

    def _sign(self, name: str, usage: x509.ObjectIdentifier, names: x509.SubjectAlternativeName | None, days: int) -> Pair:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(_name(name), self._certificate.subject, key.public_key(), days)
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        if names is not None:
            builder = builder.add_extension(names, critical=False)
        pair = Pair(self.folder / f"{name}.crt", self.folder / f"{name}.key")
        pair.certificate.write_bytes(builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        pair.key.write_bytes(
            key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        )
        return pair


@implementer(IOpenSSLContextFactory)
class ServerContext:
    """What ``FakeUpstream(tls=…)`` takes: a server's TLS, asking for client certificates of ``clients`` if that is given."""

    def __init__(self, pair: Pair, clients: Authority | None = None) -> None:
        self._pair = pair
        self._clients = clients
        self.shown: list[str] = []

    def getContext(self) -> SSL.Context:  # noqa: N802 - Twisted's name
        """One context for each connection, so that none is resumed without a certificate."""
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.use_certificate_chain_file(str(self._pair.certificate))
        context.use_privatekey_file(str(self._pair.key))
        if self._clients is not None:
            context.load_verify_locations(str(self._clients.path))
            context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, self._note)
        return context

    def _note(self, _connection: Any, certificate: Any, _error: int, depth: int, ok: int) -> bool:
        if depth == 0 and ok:
            name = certificate.to_cryptography().subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0]
            self.shown.append(str(name.value))
        return bool(ok)


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, days: int = 30) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - 40 * DAY)
        .not_valid_after(now + days * DAY)
    )
