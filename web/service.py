"""The web service: the server around the application."""

import asyncio
import contextlib
from collections.abc import Callable

import structlog
from prometheus_client import CollectorRegistry

from alerting.database.engine import address
from alerting.rules import load_rules
from alerting.settings import AlertingSettings
from bus.settings import KafkaSettings
from detector.scorer import scorer_of
from detector.settings import DetectorSettings
from ops.clock import Clock, SystemClock
from ops.http_server import listening
from ops.probes import probing
from web.app import make_app
from web.live.commanding import Commander
from web.live.hub import Hub
from web.live.registry import PatientRegistry
from web.memory import all_bytes, deal_out
from web.metrics import WebMetrics
from web.parts import Parts
from web.past.alarms import PastAlarms
from web.past.reading import Past
from web.safety.audit import AuditTrail
from web.scoring.service import ScoringService
from web.server import Server
from web.settings import WebSettings

SEND_BUFFER = 65_536  # bytes of the kernel for each connection

log = structlog.get_logger(__name__)


async def run(
    kafka: KafkaSettings,
    settings: WebSettings,
    detector: DetectorSettings,
    alerting: AlertingSettings,
    stop: asyncio.Event,
    *,
    registry: CollectorRegistry,
    on_start: Callable[[Server], None] = lambda _: None,
    clock: Clock | None = None,
) -> None:
    """Serve until ``stop`` is set.

    Parameters
    ----------
    detector, alerting : models, preprocessing, rules and the alarm history: those of the services
    stop : set it to end
    on_start : is handed what says whether it is ready

    Raises
    ------
    ModelError : when the models do not fit
    RulesError : when the alarm rules cannot be used
    AddressError : when the address of the alarm history is none
    TokensError : when the file of tokens cannot be used
    EcgStreamError : when it cannot listen, or the certificate cannot be used
    """
    clock = clock or SystemClock()
    parts = make_parts(kafka, settings, detector, alerting, registry=registry, clock=clock)
    server = Server(make_app(parts), settings)
    # What a slow browser does not take waits where the oldest can be dropped.
    with listening(settings.host, settings.port, prefix="ECGSTREAM_WEB_", send_buffer=SEND_BUFFER) as listener:
        on_start(server)
        scheme = "https" if settings.tls_cert else "http"
        log.info("web", address=settings.url or f"{scheme}://{settings.host}:{listener.getsockname()[1]}/")
        async with (
            probing(clock=clock, loop_lag=parts.metrics.loop_lag_seconds, gauges=lambda: None),
            contextlib.AsyncExitStack() as stack,
        ):
            stack.callback(parts.past_alarms.close)
            stack.callback(parts.audit.close)
            for part in (parts.past, parts.commander, parts.hub, parts.scoring):
                await stack.enter_async_context(part)
            serving = asyncio.create_task(server.serve([listener]))
            asked = asyncio.create_task(stop.wait())
            await asyncio.wait((serving, asked, parts.hub.working), return_when=asyncio.FIRST_COMPLETED)
            asked.cancel()
            failed = parts.hub.working.done()
            parts.hub.close()
            server.should_exit = True
            await serving
            if failed:  # a page that stands still looks like a patient who is well
                await parts.hub.working


def make_parts(
    kafka: KafkaSettings,
    settings: WebSettings,
    detector: DetectorSettings,
    alerting: AlertingSettings,
    *,
    registry: CollectorRegistry,
    clock: Clock,
) -> Parts:
    """Make the parts that the routes need, not yet at work.

    Parameters
    ----------
    detector, alerting : models, preprocessing, rules and the alarm history: those of the services

    Raises
    ------
    ModelError : when the models do not fit
    RulesError : when the alarm rules cannot be used
    AddressError : when the address of the alarm history is none
    EcgStreamError : when the file of the audit trail cannot be opened
    """
    metrics, rules = WebMetrics(registry), load_rules(alerting.rules)
    named = alerting.alarm_db
    memory = deal_out(all_bytes(settings.memory_mb), wanted=settings.score_processes)
    ward = PatientRegistry(most=settings.max_patients, keep_bytes=memory.patients_bytes)
    hub = Hub(kafka, metrics, clock, ward=ward)
    return Parts(
        kafka=kafka,
        settings=settings,
        detector=detector,
        scorer=scorer_of(detector),
        rules=rules,
        metrics=metrics,
        clock=clock,
        hub=hub,
        past=Past(kafka, hub.ward, mains_hz=detector.mains_hz),
        past_alarms=PastAlarms(address(named.get_secret_value() if named else None)),
        commander=Commander(kafka, hub.ward),
        scoring=ScoringService(settings, detector, rules, metrics=metrics, clock=clock),
        audit=AuditTrail(settings.audit_trail, clock=clock),
    )
