"""The engine's status as Prometheus reads it, over HTTP on this machine. Needs prometheus_client."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric, SummaryMetricFamily
from prometheus_client.registry import Collector

from kmm.protocol import StatusReply


class _Status(Collector):
    """Asks for the status whenever Prometheus does."""

    def __init__(self, status: Callable[[], StatusReply]) -> None:
        self._status = status

    def collect(self) -> Iterator[Metric]:
        now = self._status()
        yield GaugeMetricFamily("kmm_running", "Requests that are computed", now.busy)
        yield GaugeMetricFamily("kmm_waiting", "Requests that wait for their turn", now.queue_length)
        yield GaugeMetricFamily("kmm_draining", "1 if no new requests are taken", now.draining)
        yield GaugeMetricFamily("kmm_memory_bytes", "Resident memory of the engine", now.memory_bytes)
        yield GaugeMetricFamily("kmm_uptime_seconds", "Since the engine's start", now.uptime_seconds)
        ended = CounterMetricFamily("kmm_requests", "Requests that ended", labels=["outcome"])
        ended.add_metric(["done"], now.requests_done)
        ended.add_metric(["failed"], now.requests_failed)
        yield ended
        yield CounterMetricFamily(
            "kmm_frames", "Frames of motion made for requests that ended", now.frames_made
        )
        yield SummaryMetricFamily(
            "kmm_wait_seconds",
            "From a request's coming to its start",
            count_value=now.requests_started,
            sum_value=now.seconds_waited,
        )


@contextmanager
def serving_metrics(status: Callable[[], StatusReply], port: int) -> Iterator[None]:
    """Answers http://127.0.0.1:port/metrics from a thread. Raises OSError if the port is taken."""
    registry = CollectorRegistry()
    registry.register(_Status(status))
    server, thread = start_http_server(port, addr="127.0.0.1", registry=registry)
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5.0)
