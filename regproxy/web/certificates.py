"""The names in the certificate that a client has shown: what mappings of the configuration are compared with.

The listener has verified it against its ``clientCa`` in the handshake; a connection without TLS has none.
"""

from typing import Any

from cryptography import x509
from cryptography.x509.oid import NameOID

_KINDS = (x509.DNSName, x509.RFC822Name, x509.UniformResourceIdentifier)


def names_of(transport: Any) -> tuple[str, ...]:
    """Its common name, its subject as RFC 4514 writes it, and its alternative names; empty if there is no certificate."""
    get = getattr(transport, "getPeerCertificate", None)
    shown = None if get is None else get()
    if shown is None:
        return ()
    certificate: x509.Certificate = shown.to_cryptography()
    common = [str(each.value) for each in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    return (*common, certificate.subject.rfc4514_string(), *_alternatives(certificate))


def _alternatives(certificate: x509.Certificate) -> list[str]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return []
    return [name for kind in _KINDS for name in found.get_values_for_type(kind)]
