"""Events: for whom something was done comes from the context."""

from regproxy.telemetry.cause import CAUSE, TRACE, Cause
from regproxy.telemetry.events import Event, Events, What


def test_nobody_listens() -> None:
    """Nothing is made, whatever is said."""
    Events().tell(What.CACHED, no_such_attribute=1)


def test_the_cause_is_added() -> None:
    """And work of our own has none."""
    events, heard = Events(), list[Event]()
    events.listen(heard.append)
    carried = CAUSE.set(Cause("id", "192.0.2.1", user="ann"))
    try:
        events.tell(What.DEPLOYED, repository="r", path="a")
    finally:
        CAUSE.reset(carried)
    events.tell(What.DELETED, repository="r", path="a")
    assert [(each.event, each.request_id, each.user, each.client, each.path) for each in heard] == [
        (What.DEPLOYED, "id", "ann", "192.0.2.1", "a"),
        (What.DELETED, "", "", "", "a"),
    ]


def test_what_is_a_trace() -> None:
    """By its form alone, and of one length."""
    good = f"00-{'a' * 32}-{'b' * 16}-01"
    assert TRACE.fullmatch(good)
    assert not any(map(TRACE.fullmatch, (f"{good}-x", good.upper(), good[:-1], "", f"{good}\n")))
