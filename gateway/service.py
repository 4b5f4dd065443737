"""The gateway: the server that devices come to, and the clients of Kafka behind it."""

import asyncio
from collections.abc import Callable

import structlog
from prometheus_client import CollectorRegistry

from bus.clients import KafkaPublisher
from bus.recent_samples import RecentSamples
from bus.settings import KafkaSettings
from ecg.errors import EcgStreamError
from gateway.app import make_app
from gateway.devices import COMMAND, SETTING, Device, read_devices
from gateway.intake import Intake
from gateway.lsl import LslIntake
from gateway.metrics import GatewayMetrics
from gateway.mqtt import MqttIntake
from gateway.parts import Parts
from gateway.senders import Senders
from gateway.settings import GatewaySettings
from ops.clock import Clock, SystemClock
from ops.http_server import HttpServer, listening
from ops.probes import probing
from ops.tokens import Tokens, hash_of, new_token

PREFIX = "ECGSTREAM_GATEWAY_"
LINGER_MS = 20  # a batch of what comes within takes half the time of message by message, and a device hears soon enough
MOST_CONNECTIONS = 20_000

log = structlog.get_logger(__name__)


async def run(
    kafka: KafkaSettings,
    settings: GatewaySettings,
    stop: asyncio.Event,
    *,
    registry: CollectorRegistry,
    on_start: Callable[[HttpServer], None] = lambda _: None,
    clock: Clock | None = None,
) -> None:
    """Serve until ``stop`` is set.

    Parameters
    ----------
    stop : set it to end
    on_start : is handed what says whether it is ready

    Raises
    ------
    TokensError : when the file of devices cannot be used
    EcgStreamError : when there are none, or nobody can listen where it should
    BrokerError : when Kafka cannot be reached
    """
    clock = clock or SystemClock()
    senders = Senders(_devices(settings), settings, clock=clock)
    metrics = GatewayMetrics(registry)
    async with (
        KafkaPublisher(kafka, linger_ms=LINGER_MS, delivery_timeout_s=settings.delivery_timeout_s) as publisher,
        RecentSamples(kafka) as recent,
    ):
        intake = Intake(publisher, recent, settings, metrics=metrics, clock=clock)
        parts = Parts(settings=settings, intake=intake, senders=senders, metrics=metrics, clock=clock)
        server = HttpServer(
            make_app(parts),
            prefix=PREFIX,
            message_bytes=1000 * settings.message_kb,
            tls_cert=settings.tls_cert,
            tls_key=settings.tls_key,
            trusted_proxies=settings.trusted_proxies,
            most_connections=MOST_CONNECTIONS,
        )
        with listening(settings.host, settings.port, prefix=PREFIX) as listener:
            on_start(server)
            scheme = "https" if settings.tls_cert else "http"
            log.info("gateway", address=f"{scheme}://{settings.host}:{listener.getsockname()[1]}/")
            async with probing(clock=clock, loop_lag=metrics.loop_lag_seconds, gauges=intake.forget_idle):
                serving = asyncio.create_task(server.serve([listener]))
                others = [asyncio.create_task(stop.wait())]
                if settings.mqtt_host is not None:
                    by_mqtt = MqttIntake(parts, host=settings.mqtt_host, clock=clock)
                    others.append(asyncio.create_task(by_mqtt.run(), name="mqtt"))
                if settings.lsl:
                    others.append(asyncio.create_task(LslIntake(parts, clock=clock).run(), name="lsl"))
                await asyncio.wait((serving, *others), return_when=asyncio.FIRST_COMPLETED)
                failed = next((task for task in others[1:] if task.done()), None)
                for task in others:
                    task.cancel()
                await asyncio.gather(*others, return_exceptions=True)
                server.should_exit = True
                await serving
                if failed is not None:
                    failed.result()


def _devices(settings: GatewaySettings) -> Tokens[Device]:
    """The devices that are let in."""
    if settings.devices is not None:
        return read_devices(settings.devices)
    if not settings.start_token:
        raise EcgStreamError(
            f"no device could come: name the file with the entries that 'ecgstream {COMMAND}' prints in {SETTING}, or "
            f"set {PREFIX}START_TOKEN=true to try things out with a token that is drawn at the start"
        )
    token = new_token()
    # The one secret that is ever logged, because that was asked for; it ends with this process.
    log.warning("gateway_start_token", token=token)
    return Tokens([Device(name="device", sha256=hash_of(token), patients=["*"])])
