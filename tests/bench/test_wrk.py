"""What wrk prints, and what of it is an error."""

import pytest

from bench.wrk import Report, WrkError, parse

PRINTED = """Running 3s test @ http://127.0.0.1:8080/x
  1 threads and 16 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.94ms    2.22ms  60.67ms   98.31%
    Req/Sec     8.97k     1.02k   10.72k    86.67%
  Latency Distribution
     50%  {p50}
     75%    1.93ms
     90%    2.32ms
     99%   {p99}
  26786 requests in 3.01s, 117.23MB read
{more}Requests/sec:   8911.84
Transfer/sec:     39.00MB
"""


def printed(p50: str = "1.71ms", p99: str = "9.50ms", more: str = "") -> str:
    """A run's text."""
    return PRINTED.format(p50=p50, p99=p99, more=more)


def test_rates_and_times() -> None:
    """Everything that is reported."""
    assert parse(printed()) == Report(8911.84, 26786, 1.71, 9.5)


@pytest.mark.parametrize(("text", "milliseconds"), [("204.00us", 0.204), ("1.20s", 1200.0), ("1.50m", 90_000.0)])
def test_units(text: str, milliseconds: float) -> None:
    """Times are milliseconds, in whatever unit wrk prints them."""
    assert parse(printed(p99=text)).p99 == pytest.approx(milliseconds)


@pytest.mark.parametrize(
    "more",
    [
        "  Non-2xx or 3xx responses: 12\n",
        "  Socket errors: connect 0, read 3, write 0, timeout 0\n",
        "  Socket errors: connect 0, read 0, write 0, timeout 1\n",
    ],
)
def test_errors(more: str) -> None:
    """Wrong answers are no sample."""
    with pytest.raises(WrkError):
        parse(printed(more=more))


def test_closed_connections_are_no_errors_where_they_are_wanted() -> None:
    """Reads that fail are how wrk sees a connection closed; failed connects are errors still."""
    assert parse(printed(more="  Socket errors: connect 0, read 7, write 0, timeout 0\n"), closing=True).count == 26786
    with pytest.raises(WrkError):
        parse(printed(more="  Socket errors: connect 1, read 7, write 0, timeout 0\n"), closing=True)


def test_nothing_answered() -> None:
    """No request at all is an error, not a rate of zero."""
    with pytest.raises(WrkError):
        parse("  0 requests in 3.01s, 0.00B read\nRequests/sec:      0.00\n")
