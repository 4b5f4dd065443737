"""Every metric of the gateway. No patient and no device is a label: there is no end to them."""

from typing import Literal, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

Way = Literal["http", "websocket", "mqtt", "lsl"]
WAYS: tuple[Way, ...] = get_args(Way)
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_LOOP_LAG_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0)


class GatewayMetrics:
    """The gateway's metrics on one registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.chunks = Counter(
            "ecgstream_gateway_chunks", "Chunks stored, by the way they came", ("way",), registry=registry
        )
        self.chunks_by = {way: self.chunks.labels(way) for way in WAYS}
        self.samples = Counter(
            "ecgstream_gateway_samples", "Samples stored; those of all leads of an instant are one", registry=registry
        )
        self.bytes = Counter("ecgstream_gateway_received_bytes", "Bytes of chunks that came", registry=registry)
        self.repeated = Counter(
            "ecgstream_gateway_repeated_samples", "Samples that came again and were not stored again", registry=registry
        )
        self.lost = Counter(
            "ecgstream_gateway_lost_samples", "Samples that a device's running index passed over", registry=registry
        )
        self.refused = Counter(
            "ecgstream_gateway_refused", "Chunks and connections refused, by reason", ("code",), registry=registry
        )
        self.failed = Counter(
            "ecgstream_gateway_unacknowledged_chunks", "Chunks of which Kafka said nothing in time", registry=registry
        )
        self.held_back = Counter(
            "ecgstream_gateway_held_back_seconds", "How long devices waited for their budgets", registry=registry
        )
        self.connections = Gauge("ecgstream_gateway_connections", "WebSockets that are open", registry=registry)
        self.mqtt_connected = Gauge(
            "ecgstream_gateway_mqtt_connected", "1 while it takes in what the MQTT broker has", registry=registry
        )
        self.streams = Gauge("ecgstream_gateway_streams", "Streams that sent in the last minute", registry=registry)
        self.ack_seconds = Histogram(
            "ecgstream_gateway_ack_seconds",
            "From a chunk's arrival to Kafka's word that it is stored",
            buckets=_SECONDS,
            registry=registry,
        )
        self.delay_seconds = Histogram(
            "ecgstream_gateway_packet_delay_seconds",
            "How much longer than the shortest way of its device's packets a chunk took",
            buckets=_SECONDS,
            registry=registry,
        )
        self.read_back_seconds = Histogram(
            "ecgstream_gateway_read_back_seconds",
            "How long it took to see in the topic what is stored of a stream",
            buckets=_SECONDS,
            registry=registry,
        )
        self.unsettled = Counter(
            "ecgstream_gateway_unsettled_chunks",
            "Chunks that were stored though the topic is too long to see whether they were before",
            registry=registry,
        )
        self.loop_lag_seconds = Histogram(
            "ecgstream_gateway_loop_lag_seconds",
            "How late the event loop wakes: acknowledgements depend on it",
            buckets=_LOOP_LAG_S,
            registry=registry,
        )
