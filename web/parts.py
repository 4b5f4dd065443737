"""What the routes stand on, made once when the service starts."""

from dataclasses import dataclass

from sqlalchemy import URL

from alerting.rules import AlarmRules
from bus.settings import KafkaSettings
from detector.scorer import Scorer
from detector.settings import DetectorSettings
from ops.clock import Clock
from web.live.hub import Hub
from web.metrics import WebMetrics
from web.settings import WebSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the routes stand on.

    Attributes
    ----------
    kafka : how to reach Kafka
    settings : how the web service runs
    detector : models and preprocessing
    scorer : the detector's own
    rules : what alarms
    alarm_db : the alarm history
    metrics : what to count on
    clock : the wall clock
    hub : what the topics tell, live
    """

    kafka: KafkaSettings
    settings: WebSettings
    detector: DetectorSettings
    scorer: Scorer
    rules: AlarmRules
    alarm_db: URL
    metrics: WebMetrics
    clock: Clock
    hub: Hub
