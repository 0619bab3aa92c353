"""What must be reached, measured by ratios of one run; the table of it."""

from collections.abc import Callable, Sequence

from attrs import frozen

from bench.packages import FORMATS
from bench.records import Book, ratio

Value = Callable[[Book], float | None]


@frozen
class Target:
    """A bound of a value: reached if it is at least, or at most, so much."""

    text: str
    value: Value
    bound: float
    least: bool = True

    def row(self, book: Book) -> str:
        """Its line of the table."""
        value = self.value(book)
        wanted = f"{'≥' if self.least else '≤'} {self.bound:g}"
        if value is None:
            return f"| {self.text} | {wanted} | – | not measured |"
        return f"| {self.text} | {wanted} | {value:.3g} | {'met' if self.met(value) else '**not met**'} |"

    def met(self, value: float) -> bool:
        """Whether this is enough."""
        return value >= self.bound if self.least else value <= self.bound


def of(workload: str, case: str, figure: str, peer: str = "regproxy", other: str | None = None) -> Value:
    """A peer's median, by another's if one is named; ``case`` is how the case begins."""

    def value(book: Book) -> float | None:
        for each in book.cases(workload):
            if each.startswith(case):
                mine = book.median(workload, each, peer, figure)
                return mine if other is None else ratio(mine, book.median(workload, each, other, figure))
        return None

    return value


def _packages() -> Sequence[Target]:
    return [
        Target(f"4 KiB hits ÷ {peer} ({form})", of("small", f"{form}, connections kept", "requests/s", other=peer), 3.0)
        for form, peers in FORMATS.items()
        for peer in peers
    ]


def _added(book: Book) -> float | None:
    through, direct = (of("cold", "", "first ms", peer)(book) for peer in ("regproxy", "direct"))
    return None if through is None or direct is None else through - direct


def _outage(state: str) -> Value:
    def value(book: Book) -> float | None:
        return ratio(*(of("outage", f"upstream {each}", "first ms")(book) for each in (state, "well")))

    return value


TARGETS: Sequence[Target] = (
    Target("cold, rate ÷ nginx", of("cold", "", "MB/s", other="nginx"), 1.0),
    Target("cold, milliseconds added to the first byte", _added, 5.0, least=False),
    Target("cold from an HTTPS origin, rate ÷ nginx", of("tls", "HTTPS origin", "MB/s", other="nginx"), 1.3),
    Target("cold, CPU for each GB ÷ bare", of("cold", "", "CPU s/GB", other="bare"), 1.3, least=False),
    Target("large hit, rate ÷ nginx", of("hit", "", "MB/s", other="nginx"), 0.95),
    Target("large hit over HTTPS, rate ÷ nginx", of("tls", "HTTPS client", "MB/s", other="nginx"), 0.6),
    Target("4 KiB hits ÷ bare twisted.web", of("small", "connections kept", "requests/s", other="twisted.web"), 0.6),
    Target("4 KiB hits ÷ docker-registry", of("small", "connections kept", "requests/s", other="docker-registry"), 10.0),
    *_packages(),
    *(
        Target(f"held blob, first byte while upstream is {state} ÷ while it is well", _outage(state), 2.0, least=False)
        for state in ("silent", "refusing")
    ),
    Target("slow WAN, rate ÷ one download", of("slow", "", "MB/s", other="direct"), 6.0),
    Target("slow WAN, rate ÷ aria2 with as many connections", of("slow", "", "MB/s", other="aria2"), 0.9),
    Target(
        "100 clients on one cold blob, slowest ÷ nginx's", of("clients", "100 ", "slowest s", other="nginx"), 1.3, least=False
    ),
    Target("100 clients on one cold blob, upstream bytes ÷ size", of("clients", "100 ", "upstream"), 1.0, least=False),
    Target("100 clients on one cold blob, peak RSS in MB", of("clients", "100 ", "RSS MB"), 150.0, least=False),
    Target("fairness, p99 of 4 KiB hits ÷ nginx's", of("fairness", "", "p99 ms", other="nginx"), 3.0, least=False),
    Target("two workers, 4 KiB hits ÷ one worker's", of("workers", "", "requests/s", "regproxy-2-workers", "regproxy"), 1.6),
    Target(
        "… or, where the cores are too few to show that, CPU for each request ÷ one worker's",
        of("workers", "", "CPU µs/request", "regproxy-2-workers", "regproxy"),
        1.15,
        least=False,
    ),
)


def table(book: Book) -> Sequence[str]:
    """All targets, as lines of Markdown."""
    return ["| target | wanted | measured | |", "|---|---|---|---|", *(each.row(book) for each in TARGETS)]
