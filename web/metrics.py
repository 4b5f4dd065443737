"""Every metric of the web service. No patient id is a label: there is no end to them."""

from prometheus_client import CollectorRegistry, Counter, Histogram

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_LOOP_LAG_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0)


class WebMetrics:
    """The web service's metrics on one registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        # By route, as it is written in the OpenAPI document: paths hold patients' ids.
        self.requests = Counter(
            "ecgstream_web_requests", "Requests answered", ("method", "route", "status"), registry=registry
        )
        self.request_seconds = Histogram(
            "ecgstream_web_request_seconds",
            "From a request to its whole answer",
            ("route",),
            buckets=_SECONDS,
            registry=registry,
        )
        self.loop_lag_seconds = Histogram(
            "ecgstream_web_loop_lag_seconds",
            "How late the event loop wakes: live traces depend on it",
            buckets=_LOOP_LAG_S,
            registry=registry,
        )
