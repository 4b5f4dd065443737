"""Every metric of the replay. No patient id is a label: there is no end to them."""

from prometheus_client import CollectorRegistry, Counter, Gauge


class ReplayMetrics:
    """The replay's metrics on one registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.chunks = Counter("ecgstream_producer_chunks", "Samples messages handed over", registry=registry)
        self.samples = Counter(
            "ecgstream_producer_samples",
            "Samples handed over, all leads of one instant counted once",
            registry=registry,
        )
        self.bytes = Counter("ecgstream_producer_bytes", "Bytes of messages handed over", registry=registry)
        self.patients = Gauge("ecgstream_producer_patients", "Patients whose stream runs", registry=registry)
        self.behind_seconds = Gauge(
            "ecgstream_producer_behind_seconds",
            "How much later than its schedule the last message went",
            registry=registry,
        )
