"""Which hosts a remote may be led to by redirects, token realms and references.

The configured host is always allowed: the operator wrote it. So is what ``allowedHosts`` names: names, ``host:port``,
``*.suffix`` and networks. Any other host must have public addresses only, or such as the configured host has too: behind a
company's gateway the index and the host of its files are one machine. What is public is decided from our own table, because
``ipaddress.is_global`` believes several addresses that carry a private one inside.
"""

from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from socket import inet_aton, inet_ntoa
from typing import Any, Self

from attrs import define, field, frozen
from twisted.internet.interfaces import (
    IAddress,
    IHostnameResolver,
    IHostResolution,
    IReactorPluggableNameResolver,
    IResolutionReceiver,
)
from zope.interface import implementer

from regproxy.errors import Kind, RegproxyError
from regproxy.upstream.origin import PORTS, Origin

NONE = ""
"""No host."""
Network = IPv4Network | IPv6Network

PRIVATE: tuple[Network, ...] = tuple(
    ip_network(text)
    for text in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24"),
        *("192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24"),
        *("224.0.0.0/4", "240.0.0.0/4"),
    )
)
PUBLIC_V6 = ip_network("2000::/3")
"""All that is global unicast; loopback, link-local, unique local, multicast, v4-mapped and 64:ff9b::/96 lie outside."""
PRIVATE_V6: tuple[Network, ...] = tuple(
    ip_network(text) for text in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "2620:4f:8000::/48")
)


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether everybody may connect there. Addresses that embed another (6to4, Teredo, NAT64, v4-mapped) are not public."""
    if address.version == 4:  # noqa: PLR2004 - of IP
        return not any(address in network for network in PRIVATE)
    return address in PUBLIC_V6 and not any(address in network for network in PRIVATE_V6)


def literal(host: str) -> str | None:
    """The address that a host is, in a form that resolvers take (``127.1``, ``0177.0.0.1``, ``2130706433``); None for a name."""
    try:
        return str(ip_address(host))
    except ValueError:
        pass
    try:
        return inet_ntoa(inet_aton(host))
    except OSError:
        return None


@frozen
class Targets:
    """What one remote may connect to."""

    _configured: str
    _names: frozenset[str] = frozenset()
    _suffixes: tuple[str, ...] = ()
    _networks: tuple[Network, ...] = ()

    @classmethod
    def of(cls, configured: Origin, allowed: Sequence[str]) -> Self:
        """Read ``allowedHosts``; what is no network is a name."""
        networks: list[Network] = []
        names: list[str] = []
        for entry in (each.strip().lower() for each in allowed):
            try:
                networks.append(ip_network(entry.strip("[]"), strict=False))
            except ValueError:
                names.append(entry)
        suffixes = tuple(name[1:] for name in names if name.startswith("*."))
        return cls(configured.host, frozenset(names), suffixes, tuple(networks))

    @classmethod
    def open(cls, allowed: Sequence[str]) -> Self:
        """Everybody's public hosts and ``allowedHosts``, and no host that is allowed because it is configured."""
        return cls.of(Origin("https", NONE, PORTS["https"]), allowed)

    def named(self, origin: Origin) -> bool:
        """Whether the configuration names this host, so that its addresses don't matter."""
        return (
            origin.host == self._configured
            or origin.host in self._names
            or str(origin) in self._names
            or origin.host.endswith(self._suffixes)
        )

    @property
    def configured(self) -> str:
        """The host of the repository's ``url``."""
        return self._configured

    def allows(self, address: str) -> bool:
        """Whether a host that nobody named may have this address."""
        try:
            parsed = ip_address(address.partition("%")[0])
        except ValueError:
            return False
        return is_public(parsed) or any(parsed in network for network in self._networks if network.version == parsed.version)

    def check(self, origin: Origin) -> None:
        """Refuse a literal address that is not allowed; names are checked when they are resolved.

        Raises:
            RegproxyError: UPSTREAM_BAD.
        """
        if self.named(origin):
            return
        address = literal(origin.host)
        if address is None and origin.host.split(".")[-1] == "localhost":
            address = "127.0.0.1"  # said here because a proxy would resolve it to its own
        if address is not None and not self.allows(address):
            raise refused(origin)


def refused(origin: Origin) -> RegproxyError:
    """The refusal, as everybody sees it."""
    return RegproxyError(
        Kind.UPSTREAM_BAD, f"{origin} is not public, and not among the allowedHosts of this repository", detail=origin.host
    )


@implementer(IReactorPluggableNameResolver)
class CheckingReactor:
    """A reactor whose name resolver refuses; all else is the reactor's."""

    def __init__(self, reactor: Any, resolver: "CheckingResolver") -> None:
        self._reactor = reactor
        self.nameResolver = resolver

    def installNameResolver(self, _resolver: IHostnameResolver) -> IHostnameResolver:  # noqa: N802 - Twisted's name
        """Not here."""
        raise NotImplementedError

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)


@implementer(IHostnameResolver)
@define(eq=False)
class CheckingResolver:
    """Resolves as the reactor does; one address that is not allowed spoils the answer."""

    _reactor: Any
    _targets: Targets
    refused: bool = field(default=False, init=False)

    def resolveHostName(  # noqa: N802 - Twisted's name
        self,
        resolutionReceiver: IResolutionReceiver,  # noqa: N803 - Twisted's name
        hostName: str,  # noqa: N803 - Twisted's name
        portNumber: int = 0,  # noqa: N803 - Twisted's name
        *rest: Any,
    ) -> IHostResolution:
        """Resolve, and check."""
        checked = CheckedAnswers(resolutionReceiver, self)
        found: IHostResolution = self._reactor.nameResolver.resolveHostName(checked, hostName, portNumber, *rest)
        return found

    def judge(self, addresses: Sequence[str], verdict: Callable[[bool], None]) -> None:
        """Decide about all addresses of a name; asks for those of the configured host where the others don't suffice."""
        strange = [address for address in addresses if not self._targets.allows(address)]

        def decide(known: Sequence[str]) -> None:
            self.refused = not set(strange) <= set(known)
            verdict(not self.refused)

        if strange and self._targets.configured != NONE:
            self._reactor.nameResolver.resolveHostName(Collected(decide), self._targets.configured)
        else:
            decide(())


@implementer(IResolutionReceiver)
@define(eq=False)
class Collected:
    """Hands over the addresses of a name once all are known."""

    _ready: Callable[[Sequence[str]], None]
    _addresses: list[str] = field(factory=list, init=False)

    def resolutionBegan(self, resolutionInProgress: IHostResolution) -> None:  # noqa: N802, N803 - Twisted's name
        """It has."""

    def addressResolved(self, address: Any) -> None:  # noqa: N802 - Twisted's name
        """Keep."""
        self._addresses.append(address.host)

    def resolutionComplete(self) -> None:  # noqa: N802 - Twisted's name
        """Hand over."""
        self._ready(self._addresses)


@implementer(IResolutionReceiver)
@define(eq=False)
class CheckedAnswers:
    """Passes addresses on when all of them have been seen and are allowed."""

    _receiver: IResolutionReceiver
    _resolver: CheckingResolver
    _addresses: list[Any] = field(factory=list, init=False)

    def resolutionBegan(self, resolutionInProgress: IHostResolution) -> None:  # noqa: N802, N803 - Twisted's name
        """Pass on."""
        self._receiver.resolutionBegan(resolutionInProgress)

    def addressResolved(self, address: IAddress) -> None:  # noqa: N802 - Twisted's name
        """Keep."""
        self._addresses.append(address)

    def resolutionComplete(self) -> None:  # noqa: N802 - Twisted's name
        """Judge."""
        self._resolver.judge([address.host for address in self._addresses], self._judged)

    def _judged(self, good: bool) -> None:  # noqa: FBT001 - a verdict
        for address in self._addresses if good else ():
            self._receiver.addressResolved(address)
        self._receiver.resolutionComplete()
