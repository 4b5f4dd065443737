"""Parts that the routes need, made once when the service starts."""

from dataclasses import dataclass

from alerting.rules import AlarmRules
from bus.settings import KafkaSettings
from detector.scorer import Scorer
from detector.settings import DetectorSettings
from ops.clock import Clock
from web.live.commanding import Commander
from web.live.hub import Hub
from web.metrics import WebMetrics
from web.past.alarms import PastAlarms
from web.past.reading import Past
from web.safety.audit import AuditTrail
from web.scoring.service import ScoringService
from web.settings import WebSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Parts that the routes need.

    Attributes
    ----------
    detector : models and preprocessing
    scorer : the detector's own
    hub : what the topics tell, live
    past : samples and verdicts of the past
    past_alarms : the alarm history
    commander : sends commands about alarms
    scoring : scores and keeps what people send
    audit : who saw what of which patient
    """

    kafka: KafkaSettings
    settings: WebSettings
    detector: DetectorSettings
    scorer: Scorer
    rules: AlarmRules
    metrics: WebMetrics
    clock: Clock
    hub: Hub
    past: Past
    past_alarms: PastAlarms
    commander: Commander
    scoring: ScoringService
    audit: AuditTrail
