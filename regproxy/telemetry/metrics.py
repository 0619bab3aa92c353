"""What is counted, in OpenMetrics. One registry for each server; the children that hot paths use are bound once.

Labels are repositories and a few fixed words, never paths, users or digests: their number does not grow with traffic.
"""

from collections.abc import Callable
from functools import lru_cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from regproxy.telemetry.merging import Family, How, family_of, page

_HITS = frozenset({"hit", "stale", "joined"})
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_SECONDS = (0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120)


class Metrics:
    """Counts what happened; methods are cheap enough for the reactor."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self._how: dict[str, How] = {}
        answers = ("repository", "cache")
        by_repository = ("repository",)

        def counter(name: str, text: str, labels: tuple[str, ...]) -> Counter:
            return Counter(f"regproxy_{name}", text, labels, registry=registry)

        self._answers = counter("cache_requests", "Answers, by where their bytes came from.", answers)
        self._out = counter("http_response_bytes", "Bytes of bodies sent to clients.", answers)
        self._received = counter("http_request_bytes", "Bytes of bodies that clients sent.", by_repository)
        self._saved = counter("saved_bytes", "Bytes sent that no upstream sent for it.", by_repository)
        self._requests = counter("http_requests", "Requests answered.", ("method", "code"))
        self._fills = counter("fills", "Artifacts brought in.", by_repository)
        self._in = counter("upstream_bytes", "Bytes of artifacts brought in.", by_repository)
        self._wrong = counter("digest_mismatch", "Bodies that were not what they had to be.", by_repository)
        self._lost = counter("blobs_quarantined", "Stored blobs that were found damaged or gone.", ("why",))
        self._evictions = counter("evictions", "Blobs taken out of the store.", ("why",))
        self._evicted = counter("evicted_bytes", "Their bytes.", ("why",))
        self._not_kept = counter("not_kept", "Artifacts that passed through because they could not be stored.", by_repository)
        self._checked = counter("verified_bytes", "Bytes of stored blobs that were read through again.", ())
        self._replies = counter("upstream_requests", "Answers of upstreams.", ("repository", "code"))
        self._failures = counter("upstream_failures", "Requests without an answer.", by_repository)
        self._shed = counter("shed", "Clients and requests that were turned away, by the limit that did it.", ("limit",))
        self._told = counter("webhook_deliveries", "Attempts to tell a webhook, by what came of them.", ("webhook", "outcome"))
        self._untold = counter("webhook_lost", "Events that webhooks are not told of, because too many wait.", ())
        self._duration = Histogram(
            "regproxy_http_request_duration_seconds", "From request to last byte.", buckets=_SECONDS, registry=registry
        )
        self._ttfb = Histogram(
            "regproxy_upstream_ttfb_seconds", "From question to headers.", by_repository, buckets=_SECONDS, registry=registry
        )
        self._bind = lru_cache(maxsize=1024)(self._bound)
        self._bind_request = lru_cache(maxsize=256)(self._requests.labels)

    def _bound(self, repository: str, origin: str) -> tuple[Counter, Counter, Counter | None]:
        saved = self._saved.labels(repository) if origin in _HITS else None
        return self._answers.labels(repository, origin), self._out.labels(repository, origin), saved

    def answered(self, repository: str, origin: str, size: int) -> None:
        """A repository's answer has been sent, so many bytes of it."""
        answers, out, saved = self._bind(repository, origin or "none")
        answers.inc()
        out.inc(size)
        if saved is not None:
            saved.inc(size)

    def shed(self, limit: str) -> None:
        """A client or a request was turned away by one of ``[limits]``."""
        self._shed.labels(limit).inc()

    def received(self, repository: str, size: int) -> None:
        """A client has sent so many bytes to a repository, or to none."""
        self._received.labels(repository or "none").inc(size)

    def told(self, webhook: str, outcome: str) -> None:
        """A webhook has heard something, or not; ``outcome`` is a fixed word."""
        self._told.labels(webhook, outcome).inc()

    def untold(self, count: int) -> None:
        """Webhooks are not told of so many events."""
        self._untold.inc(count)

    def requested(self, method: str, code: int, seconds: float) -> None:
        """A request has ended."""
        self._bind_request(method if method in _METHODS else "other", str(code)).inc()
        self._duration.observe(seconds)

    def filled(self, repository: str, size: int) -> None:
        """A fill has landed."""
        self._fills.labels(repository).inc()
        self._in.labels(repository).inc(size)

    def verification_failed(self, repository: str) -> None:
        """A body was not what it had to be."""
        self._wrong.labels(repository).inc()

    def blob_checked(self, size: int) -> None:
        """A stored blob of so many bytes was read through again."""
        self._checked.inc(size)

    def blob_lost(self, why: str) -> None:
        """A stored blob was taken out of sight; ``why`` is a fixed word."""
        self._lost.labels(why).inc()

    def evicted(self, why: str, size: int) -> None:
        """A blob was taken out of the store to make room; ``why`` is a fixed word."""
        self._evictions.labels(why).inc()
        self._evicted.labels(why).inc(size)

    def not_kept(self, repository: str) -> None:
        """A body passed through, because it could not be stored."""
        self._not_kept.labels(repository).inc()

    def upstream_answered(self, repository: str, status: int, seconds: float) -> None:
        """An upstream has sent its headers."""
        self._replies.labels(repository, str(status)).inc()
        self._ttfb.labels(repository).observe(seconds)

    def upstream_failed(self, repository: str) -> None:
        """An upstream did not answer."""
        self._failures.labels(repository).inc()

    def watch(self, name: str, text: str, value: Callable[[], float], how: How = "sum") -> None:
        """A gauge that is asked when somebody looks; ``how`` it is put together where several processes have it."""
        Gauge(name, text, registry=self._registry).set_function(value)
        self._how[name] = how

    def families(self) -> list[Family]:
        """Everything as it is now."""
        return [family_of(metric, self._how.get(metric.name, "sum")) for metric in self._registry.collect()]

    def render(self) -> tuple[bytes, str]:
        """The page, and its media type. Takes milliseconds: call it in a thread."""
        return page(self.families())
