"""The metrics of several processes are those of one server."""

from prometheus_client.openmetrics.parser import text_string_to_metric_families

from regproxy.telemetry.merging import Family, Sample, lasting, merged, page
from regproxy.telemetry.metrics import Metrics


def process(hits: int, lag: float, fills: float) -> list[Family]:
    """One process's metrics."""
    metrics = Metrics()
    for _ in range(hits):
        metrics.answered("files", "hit", 10)
        metrics.requested("GET", 200, 0.01)
    metrics.watch("regproxy_lag", "A lag.", lambda: lag, "largest")
    metrics.watch("regproxy_live", "Live fills.", lambda: fills)
    return metrics.families()


def value(families: list[Family], name: str, **labels: str) -> float:
    """One number."""
    wanted = tuple(sorted(labels.items()))
    return next(each.value for family in families for each in family.samples if (each.name, each.labels) == (name, wanted))


def test_counters_add_up() -> None:
    """Also where a label is known to one process only; a counter began when the first did."""
    first, second = process(2, 0, 0), process(3, 0, 0)
    both = merged([first, second])
    assert value(both, "regproxy_cache_requests_total", cache="hit", repository="files") == 5
    assert value(both, "regproxy_http_request_duration_seconds_count") == 5
    assert value(both, "regproxy_http_request_duration_seconds_bucket", le="0.02") == 5
    created = ("regproxy_http_requests_created", {"code": "200", "method": "GET"})
    assert value(both, created[0], **created[1]) == min(value(each, created[0], **created[1]) for each in (first, second))


def test_gauges_add_up_or_the_largest_holds() -> None:
    """As the one who watches them says."""
    both = merged([process(0, 0.5, 2), process(0, 0.25, 3)])
    assert (value(both, "regproxy_lag"), value(both, "regproxy_live")) == (0.5, 5)


def test_counters_outlast_their_process() -> None:
    """Of a process that has ended the counters stay, the gauges don't."""
    families = merged([lasting(process(2, 9, 9)), process(1, 0.25, 1)])
    assert value(families, "regproxy_http_requests_total", code="200", method="GET") == 3
    assert (value(families, "regproxy_lag"), value(families, "regproxy_live")) == (0.25, 1)


def test_the_page_is_openmetrics() -> None:
    """A parser reads the numbers back; samples of one set of labels stand together."""
    second = [Family("regproxy_x", "counter", "X.", "sum", (Sample("regproxy_x_total", (("a", name),), 1.0),)) for name in "qp"]
    text, media_type = page(merged([process(2, 0.5, 1), process(3, 0.5, 1), *([each] for each in second)]))
    assert media_type.startswith("application/openmetrics-text")
    read = {family.name: family for family in text_string_to_metric_families(text.decode())}
    (hits,) = [each for each in read["regproxy_cache_requests"].samples if each.name.endswith("_total")]
    assert (hits.labels, hits.value) == ({"cache": "hit", "repository": "files"}, 5.0)
    assert len(read["regproxy_x"].samples) == 2
