"""A host that shares the configured host's address is the operator's own; any other private one is refused."""

from collections.abc import Sequence
from typing import Any

import pytest
from twisted.internet.address import IPv4Address

from regproxy.upstream.origin import Origin
from regproxy.upstream.targets import CheckedAnswers, CheckingResolver, Collected, Targets

NAMES = {
    "index.example": ["10.0.0.1"],
    "files.example": ["10.0.0.1"],
    "inside.example": ["10.0.0.2"],
    "both.example": ["10.0.0.1", "10.0.0.2"],
}


class Resolver:
    """Resolves from a table, at once."""

    @property
    def nameResolver(self) -> "Resolver":  # noqa: N802 - Twisted's name
        """Itself."""
        return self

    def resolveHostName(self, receiver: Any, name: str, port: int = 0, *rest: Any) -> None:  # noqa: N802 - Twisted's name
        """Look it up."""
        for host in NAMES[name]:
            receiver.addressResolved(IPv4Address("TCP", host, port))
        receiver.resolutionComplete()


@pytest.mark.parametrize(("name", "found"), [("files.example", ["10.0.0.1"]), ("inside.example", []), ("both.example", [])])
def test_only_the_addresses_of_the_configured_host(name: str, found: Sequence[str]) -> None:
    """One address that is not the operator's spoils the answer."""
    targets = Targets.of(Origin.of("https://index.example/simple"), ())
    resolver = CheckingResolver(Resolver(), targets)
    got: list[Sequence[str]] = []
    Resolver().resolveHostName(CheckedAnswers(Collected(got.append), resolver), name)
    assert got == [found]
    assert resolver.refused is (found == [])
