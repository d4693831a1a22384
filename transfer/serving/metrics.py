"""What a server counts of itself, in the text format of Prometheus."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
PICTURES = (1, 2, 4, 8, 16, 32)


class Metrics:
    """The counters of one server; several may live in one process."""

    def __init__(self, waiting: Callable[[], int]):
        self._registry = registry = CollectorRegistry()
        self._requests = Counter(
            "transfer_requests", "answered requests, by path and status", ["path", "status"], registry=registry
        )
        self._seconds = Histogram(
            "transfer_request_seconds", "from the last byte of a request to its answer", ["path"], buckets=SECONDS,
            registry=registry,
        )  # fmt: skip
        self._pictures = Counter(
            "transfer_pictures", "pictures, by network and whether they are readable", ["model", "version", "readable"],
            registry=registry,
        )  # fmt: skip
        self._batches = Histogram(
            "transfer_batch_pictures", "pictures that a network answered at once", ["model"], buckets=PICTURES,
            registry=registry,
        )  # fmt: skip
        self._versions = Gauge(
            "transfer_model_loaded", "1 for each version that answers", ["model", "version"], registry=registry
        )
        Gauge("transfer_waiting_pictures", "without an answer yet", registry=registry).set_function(waiting)

    def count_request(self, path: str, status: int, seconds: float) -> None:
        """One request, by the pattern of its path: names that clients make up are none of the labels."""
        self._requests.labels(path, status).inc()
        self._seconds.labels(path).observe(seconds)

    def count_batch(self, model: str, version: int, readable: int, unreadable: int) -> None:
        """One batch of a network."""
        self._batches.labels(model).observe(readable + unreadable)
        self._pictures.labels(model, version, "true").inc(readable)
        self._pictures.labels(model, version, "false").inc(unreadable)

    def show_versions(self, versions: list[tuple[str, int]]) -> None:
        """The versions that answer now."""
        self._versions.clear()
        for model, version in versions:
            self._versions.labels(model, version).set(1)

    def text(self) -> bytes:
        """All of it."""
        return generate_latest(self._registry)
