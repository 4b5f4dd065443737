"""What the routes stand on, for tests of one application in this process."""

from functools import cache
from pathlib import Path

from prometheus_client import CollectorRegistry

from alerting.history.database import address
from alerting.rules import load_rules
from bus.settings import KafkaSettings
from detector.scorer import Scorer, scorer_of
from detector.settings import DetectorSettings
from ops.clock import Clock, SystemClock
from web.live.hub import Hub
from web.metrics import WebMetrics
from web.parts import Parts
from web.settings import WebSettings


@cache
def shipped_scorer() -> Scorer:
    return scorer_of(DetectorSettings(_env_file=None))


def make_parts(
    folder: Path,
    *,
    settings: WebSettings | None = None,
    kafka: KafkaSettings | None = None,
    clock: Clock | None = None,
    registry: CollectorRegistry | None = None,
) -> Parts:
    """The parts of a service whose files lie in a folder; without a Kafka that is there its ward stays empty."""
    kafka = kafka or KafkaSettings(_env_file=None, bootstrap_servers="127.0.0.1:1")
    clock = clock or SystemClock()
    metrics = WebMetrics(registry or CollectorRegistry())
    return Parts(
        kafka=kafka,
        settings=settings or WebSettings(_env_file=None, state=folder / "web"),
        detector=DetectorSettings(_env_file=None),
        scorer=shipped_scorer(),
        rules=load_rules(None),
        alarm_db=address(f"sqlite:///{folder / 'alarms.sqlite'}"),
        metrics=metrics,
        clock=clock,
        hub=Hub(kafka, metrics, clock),
    )
