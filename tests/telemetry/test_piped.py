"""The pipe-separated lines, field by field."""

from regproxy.telemetry import piped
from regproxy.telemetry.events import Event, What
from regproxy.telemetry.log import Asked, Exchange

TS = 1_700_000_000.25
STAMP = "2023-11-14T22:13:20.250Z"


def test_a_request() -> None:
    """Eleven fields; who has shown nothing is anonymous."""
    entry = Asked(TS, "id", "192.0.2.1", "PUT", "/r/a", 201, 10, 0.0254, received=7, user_agent="curl/8")
    assert piped.asked(entry) == f"{STAMP}|id|192.0.2.1|anonymous|PUT|/r/a|201|7|10|25|curl/8"


def test_an_exchange() -> None:
    """Ten."""
    entry = Exchange(TS, "id", "ann", "r", "GET", "https://u.example/a", 200, 10, 0.25)
    assert piped.exchange(entry) == f"{STAMP}|id|r|ann|GET|https://u.example/a|200|0|10|250"


def test_what_was_done() -> None:
    """In brackets what was accepted or denied."""
    deployed = Event(ts=TS, event=What.DEPLOYED, request_id="id", user="ann", client="192.0.2.1", repository="r", path="a/b")
    assert piped.access(deployed) == f"{STAMP} [id] [ACCEPTED DEPLOY] r:a/b for client : ann / 192.0.2.1."
    denied = Event(ts=TS, event=What.DENIED, client="192.0.2.1", repository="r", path="a", action="read", detail="no")
    assert piped.access(denied) == f"{STAMP} [] [DENIED DOWNLOAD] r:a no for client : anonymous / 192.0.2.1."
    login = Event(ts=TS, event=What.LOGIN_REFUSED, client="192.0.2.1", subject="bob")
    assert piped.access(login) == f"{STAMP} [] [DENIED LOGIN] for client : bob / 192.0.2.1."


def test_a_change_of_rights() -> None:
    """Nine fields."""
    event = Event(
        ts=TS, event=What.USER, request_id="id", user="admin", client="::1", subject="ann", change="created", detail="x"
    )
    assert piped.security(event) == f"{STAMP}|id|::1|admin|admin|ann|USER|USER_CREATED|x"


def test_nothing_ends_a_field() -> None:
    """Neither a pipe nor a line end."""
    entry = Asked(TS, "id", "c", "GET", "/a|b", 200, 0, 0.0, user_agent="x\r\ny|z")
    assert piped.asked(entry).endswith("|/a_b|200|0|0|0|x__y_z")
    assert piped.lines(piped.asked)([entry, entry]).count(b"\n") == 2
    event = Event(ts=TS, event=What.DEPLOYED, repository="r", path="a\nb|c")
    assert "a_b_c" in piped.access(event)
