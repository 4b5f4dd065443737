"""Parts that the ways in stand on, made once when the service starts."""

from dataclasses import dataclass

from gateway.intake import Intake
from gateway.metrics import GatewayMetrics
from gateway.senders import Senders
from gateway.settings import GatewaySettings
from ops.clock import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Parts that the ways in stand on.

    Attributes
    ----------
    intake : takes chunks in
    senders : lets devices in
    """

    settings: GatewaySettings
    intake: Intake
    senders: Senders
    metrics: GatewayMetrics
    clock: Clock
