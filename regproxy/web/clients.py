"""Who a client is: the address of his connection, or what a trusted proxy says of him in ``X-Forwarded-For``.

The header is read from its end, where our own proxies have written: the first address that is none of theirs is the client's.
What stands further left is only what he says of himself.
"""

from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from attrs import frozen

UNIX = "unix"
"""In ``trustedProxies``: whoever comes by a UNIX socket; such a peer has no address."""


@frozen
class Trusted:
    """The proxies in front of us."""

    _networks: tuple[IPv4Network | IPv6Network, ...] = ()
    _unix: bool = False

    @classmethod
    def of(cls, texts: tuple[str, ...]) -> "Trusted":
        """From ``trustedProxies``; ``ValueError`` for what is neither a network nor ``unix``."""
        networks = tuple(ip_network(text, strict=False) for text in texts if text != UNIX)
        return cls(networks, UNIX in texts)

    def covers(self, host: str) -> bool:
        """Whether it is one of them; a UNIX socket's peer has an empty host."""
        if not host:
            return self._unix
        if not self._networks:
            return False
        try:
            address = ip_address(plain(host))
        except ValueError:
            return False
        return any(address in network for network in self._networks)

    def client(self, peer: str, forwarded: list[bytes]) -> str:
        """The client's address, by the fields of ``X-Forwarded-For``."""
        if not forwarded or not self.covers(peer):
            return plain(peer)
        found = plain(peer)
        for text in reversed(b",".join(forwarded).decode("latin-1").split(",")):
            try:
                found = str(ip_address(plain(_without_port(text.strip()))))
            except ValueError:
                break
            if not self.covers(found):
                break
        return found


def plain(host: str) -> str:
    """An address as its client would write it: a port of IPv6 shows those of IPv4 as ``::ffff:192.0.2.1``."""
    return host[7:] if host.startswith("::ffff:") and "." in host else host


def counted(host: str) -> str:
    """Whose limits an address counts for: an IPv6 client has a /64 of them, and is that."""
    host = plain(host)
    if ":" not in host:
        return host
    try:
        return IPv6Address(IPv6Address(host.partition("%")[0]).packed[:8] + bytes(8)).compressed
    except ValueError:
        return host


def _without_port(text: str) -> str:
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text
