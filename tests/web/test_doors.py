"""How many are let in."""

from attrs import define

from regproxy.web.clients import Trusted
from regproxy.web.doors import NEAR, Doors


@define
class Port:
    """Notes what it is told."""

    numberAccepts: int = 100  # noqa: N815 - Twisted's name
    rests: bool = False

    def pauseProducing(self) -> None:  # noqa: N802 - Twisted's name
        """Rest."""
        assert not self.rests
        self.rests = True

    def resumeProducing(self) -> None:  # noqa: N802 - Twisted's name
        """Go on."""
        assert self.rests
        self.rests = False


def test_ports_rest_while_it_is_full() -> None:
    """All of them, until one has left."""
    doors, ports = Doors(2), [Port(), Port()]
    for port in ports:
        doors.watch(port)
    doors.enter("a")
    assert [port.rests for port in ports] == [False, False]
    doors.enter("b")
    doors.enter("c")  # was accepted in the same turn
    assert [port.rests for port in ports] == [True, True]
    doors.leave("c")
    assert [port.rests for port in ports] == [True, True]
    doors.leave("a")
    assert [port.rests for port in ports] == [False, False]


def test_near_the_limit_a_turn_accepts_no_more_than_before() -> None:
    """Twisted would accept up to a hundred more in the turn in which the port is told to rest."""
    doors, port = Doors(NEAR + 2), Port()
    doors.watch(port)
    doors.enter("a")
    assert port.numberAccepts == 100
    doors.enter("a")
    assert port.numberAccepts == 0
    small = Port()
    Doors(4).watch(small)
    assert small.numberAccepts == 1


def test_one_address_has_its_share() -> None:
    """An IPv6 client is his /64; proxies in front of us, and UNIX sockets, have no share."""
    refused: list[None] = []
    doors = Doors(100, 2, Trusted.of(("10.0.0.0/8",)), lambda: refused.append(None))
    for host in ("192.0.2.1", "192.0.2.1", "2001:db8::1", "2001:db8::2", "10.0.0.1", "10.0.0.1", "", ""):
        assert doors.admits(host)
        doors.enter(host)
    assert not doors.admits("192.0.2.1")
    assert not doors.admits("2001:db8::3")
    assert doors.admits("2001:db8:0:1::1")
    assert doors.admits("10.0.0.1")
    assert doors.admits("")
    assert len(refused) == 2
    assert not doors.admits("::ffff:192.0.2.1")
    assert doors.admits("::ffff:192.0.2.2")
    doors.leave("192.0.2.1")
    assert doors.admits("192.0.2.1")
