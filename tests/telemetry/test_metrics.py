"""Metrics are OpenMetrics, under the names that the documentation has."""

from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse

from regproxy.telemetry.metrics import Metrics

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def samples(metrics: Metrics) -> Samples:
    """Everything on the page."""
    page, _ = metrics.render()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in parse(page.decode())
        for sample in family.samples
    }


def used() -> Metrics:
    """Everything has happened once."""
    metrics = Metrics()
    metrics.answered("r", "hit", 100)
    metrics.answered("r", "fill", 50)
    metrics.answered("r", "", 0)
    metrics.requested("GET", 200, 0.1)
    for number in range(3):
        metrics.requested(f"MADE-UP-{number}", 405, 0.1)
    metrics.filled("r", 50)
    metrics.verification_failed("r")
    metrics.upstream_answered("r", 200, 0.2)
    metrics.upstream_failed("r")
    metrics.watch("regproxy_reactor_lag_seconds", "Lag.", lambda: 0.5)
    return metrics


def test_names_and_values() -> None:
    """Counters are totals; only what no upstream sent again is saved."""
    found = samples(used())
    repository = ("repository", "r")
    expected = {
        ("regproxy_cache_requests_total", (("cache", "hit"), repository)): 1,
        ("regproxy_cache_requests_total", (("cache", "fill"), repository)): 1,
        ("regproxy_cache_requests_total", (("cache", "none"), repository)): 1,
        ("regproxy_http_response_bytes_total", (("cache", "hit"), repository)): 100,
        ("regproxy_http_response_bytes_total", (("cache", "fill"), repository)): 50,
        ("regproxy_saved_bytes_total", (repository,)): 100,
        ("regproxy_http_requests_total", (("code", "200"), ("method", "GET"))): 1,
        ("regproxy_http_requests_total", (("code", "405"), ("method", "other"))): 3,
        ("regproxy_fills_total", (repository,)): 1,
        ("regproxy_upstream_bytes_total", (repository,)): 50,
        ("regproxy_digest_mismatch_total", (repository,)): 1,
        ("regproxy_upstream_requests_total", (("code", "200"), repository)): 1,
        ("regproxy_upstream_failures_total", (repository,)): 1,
        ("regproxy_http_request_duration_seconds_count", ()): 4,
        ("regproxy_upstream_ttfb_seconds_count", (repository,)): 1,
        ("regproxy_reactor_lag_seconds", ()): 0.5,
    }
    assert {key: found.get(key) for key in expected} == expected


def test_media_type() -> None:
    """What a scraper is told."""
    page, media_type = Metrics().render()
    assert media_type.startswith("application/openmetrics-text")
    assert page.endswith(b"# EOF\n")
