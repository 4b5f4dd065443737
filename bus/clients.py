"""The Kafka clients: what publishes, what reads outside any consumer group, and what makes the topics."""

from bus.connection import BrokerError, connection_arguments
from bus.publisher import KafkaPublisher
from bus.reader import KafkaReader, SinceMs, Start
from bus.topic_admin import await_topics, create_topics

__all__ = [
    "BrokerError",
    "KafkaPublisher",
    "KafkaReader",
    "SinceMs",
    "Start",
    "await_topics",
    "connection_arguments",
    "create_topics",
]
