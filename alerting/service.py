"""Alerting as a service: the loop around the transform."""

import asyncio
import contextlib
from collections.abc import Callable

from prometheus_client import CollectorRegistry

from alerting.metrics import AlertingMetrics
from alerting.settings import AlertingSettings
from alerting.transform import SERVICE, AlertingTransform
from bus.exactly_once import ExactlyOnce
from bus.settings import KafkaSettings
from ops.clock import Clock, SystemClock

GAUGES_EVERY_S = 1.0
LOOP_PROBE_S = 0.05  # how often the event loop's lag is measured


async def run(
    kafka: KafkaSettings,
    settings: AlertingSettings,
    stop: asyncio.Event,
    *,
    registry: CollectorRegistry,
    on_start: Callable[[ExactlyOnce], None] = lambda _: None,
    clock: Clock | None = None,
) -> None:
    """Alert until ``stop`` is set.

    Parameters
    ----------
    kafka, settings : how to reach Kafka, and the rules of the episodes
    stop : set it to end; what is pending is committed first
    registry : where the metrics go
    on_start : is handed the runner, which knows when it is ready

    Raises
    ------
    BadProgressError : when another release wrote the progress
    BrokerError : when no broker answers at the start
    DeadLetterFloodError : when most messages cannot be decoded
    """
    clock = clock or SystemClock()
    metrics = AlertingMetrics(registry)
    runner = ExactlyOnce(
        kafka,
        AlertingTransform(settings, metrics),
        service=SERVICE,
        instance=settings.instance,
        commit_every_s=settings.commit_every_s,
        clock=clock,
    )
    on_start(runner)
    probes = [
        asyncio.create_task(_measure_loop(metrics, clock)),
        asyncio.create_task(_measure_state(metrics, clock, runner)),
    ]
    try:
        await runner.run(stop)
    finally:
        for probe in probes:
            probe.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await probe


async def _measure_loop(metrics: AlertingMetrics, clock: Clock) -> None:
    while True:
        began = clock.monotonic_s()
        await clock.sleep(LOOP_PROBE_S)
        metrics.loop_lag_seconds.observe(max(0.0, clock.monotonic_s() - began - LOOP_PROBE_S))


async def _measure_state(metrics: AlertingMetrics, clock: Clock, runner: ExactlyOnce) -> None:
    while True:
        metrics.partitions.set(runner.partitions)
        metrics.lag_messages.set(runner.lag())
        await clock.sleep(GAUGES_EVERY_S)
