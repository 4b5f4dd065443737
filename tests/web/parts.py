"""Parts that the routes need, for tests of one application in this process."""

from pathlib import Path

from prometheus_client import CollectorRegistry

from alerting.settings import AlertingSettings
from bus.settings import KafkaSettings
from detector.settings import DetectorSettings
from ops.clock import Clock, SystemClock
from web.parts import Parts
from web.service import make_parts as assembled
from web.settings import WebSettings


def make_parts(
    folder: Path,
    *,
    settings: WebSettings | None = None,
    kafka: KafkaSettings | None = None,
    clock: Clock | None = None,
    registry: CollectorRegistry | None = None,
) -> Parts:
    """The parts of a service whose files lie in a folder; without a Kafka that is there its ward stays empty."""
    return assembled(
        kafka or KafkaSettings(_env_file=None, bootstrap_servers="127.0.0.1:1", connect_timeout_s=0.1),
        settings or WebSettings(_env_file=None, state=folder / "web"),
        DetectorSettings(_env_file=None),
        AlertingSettings(_env_file=None, alarm_db=f"sqlite:///{folder / 'alarms.sqlite'}"),
        registry=registry or CollectorRegistry(),
        clock=clock or SystemClock(),
    )
