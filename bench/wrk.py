"""wrk: what it is asked for and what it prints."""

import re
import subprocess

from attrs import frozen

from bench.programs import found

CONNECTIONS = 16
_RATE = re.compile(r"Requests/sec:\s+([\d.]+)")
_COUNT = re.compile(r"(\d+) requests in")
_PERCENTILE = re.compile(r"^\s+(50|99)%\s+([\d.]+)(us|ms|s|m)\s*$", re.MULTILINE)
_MILLISECONDS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}
_ERRORS = re.compile(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)")


@frozen
class Report:
    """What one run of wrk has seen; times are milliseconds."""

    rate: float
    count: int
    p50: float
    p99: float


class WrkError(Exception):
    """Answers were wrong, or there were none."""


def parse(printed: str, *, closing: bool = False) -> Report:
    """Read what ``wrk --latency`` prints. With ``closing`` connections wrk counts each close as a failed read."""
    rate, count = _RATE.search(printed), _COUNT.search(printed)
    errors = _ERRORS.search(printed)
    bad = errors is not None and any(int(errors[number]) for number in ((1, 3, 4) if closing else (1, 2, 3, 4)))
    if rate is None or count is None or "Non-2xx" in printed or bad or not int(count[1]):
        raise WrkError(printed)
    times = {each[1]: float(each[2]) * _MILLISECONDS[each[3]] for each in _PERCENTILE.finditer(printed)}
    return Report(float(rate[1]), int(count[1]), times["50"], times["99"])


def hit(port: int, path: str, seconds: int, *, closing: bool = False) -> Report:
    """Ask for the same thing for some seconds; ``closing`` uses a new connection for each request."""
    program = found("wrk")
    if program is None:
        raise WrkError("wrk is not installed")
    headers = ["-H", "Connection: close"] if closing else []
    command = [program, "-t1", f"-c{CONNECTIONS}", f"-d{seconds}", "--latency", *headers, f"http://127.0.0.1:{port}{path}"]
    return parse(subprocess.run(command, capture_output=True, text=True, check=True).stdout, closing=closing)
