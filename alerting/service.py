"""Alerting as a service: the loop around the transform."""

import asyncio
from collections.abc import Callable

from prometheus_client import CollectorRegistry

from alerting.database.engine import address
from alerting.delivery.channels import load_channels
from alerting.delivery.worker import delivering
from alerting.history.recorder import Recorder
from alerting.metrics import AlertingMetrics
from alerting.rules import load_rules
from alerting.settings import AlertingSettings
from alerting.strips.keeper import StripKeeper
from alerting.transform import SERVICE, AlertingTransform, Limits
from bus.exactly_once import ExactlyOnce
from bus.sample_history import SampleHistory
from bus.settings import KafkaSettings
from ops.clock import Clock, SystemClock
from ops.probes import probing


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
    kafka, settings : how to reach Kafka, and where the rules are
    stop : set it to end; what is pending is committed first
    registry : where the metrics go
    on_start : is handed the runner, which knows when it is ready

    Raises
    ------
    BadProgressError : when another release wrote the progress
    RulesError : when the alarm rules cannot be used
    ChannelsError : when a channel can never deliver
    AddressError : when the address of the alarm history is none; a database that is away is waited for
    BrokerError : when no broker answers at the start
    """
    clock = clock or SystemClock()
    metrics = AlertingMetrics(registry)
    transform = AlertingTransform(
        load_rules(settings.rules),
        metrics,
        clock,
        limits=Limits(
            tolerance_ns=round(settings.clock_tolerance_s * 1e9),
            max_patients=settings.max_patients,
            ended_retention_ms=round(settings.ended_retention_s * 1e3),
            partitions=kafka.partitions,
        ),
    )
    runner = ExactlyOnce(
        kafka,
        transform,
        side=transform,
        service=SERVICE,
        instance=settings.instance,
        on_expired=metrics.input_expired.inc,
        on_rebalance=metrics.rebalances.inc,
        on_commit_failure=metrics.commit_failures.inc,
        clock=clock,
    )
    named = settings.alarm_db
    url = address(named.get_secret_value() if named else None)
    channels = load_channels(settings.channels)
    on_start(runner)

    def gauges() -> None:
        metrics.partitions.set(runner.partitions)
        metrics.quarantined_senders.set(transform.quarantined)
        metrics.partitions_assigned.set(runner.assigned)
        metrics.partitions_existing.set(runner.existing)
        metrics.lag_messages.set(sum(runner.lag().values()))

    async with (
        probing(clock=clock, loop_lag=metrics.loop_lag_seconds, gauges=gauges),
        delivering(url, channels, metrics, clock=clock, instance=settings.instance) as wake,
        Recorder(kafka, url, metrics, clock=clock, channels=channels, recorded=wake),
        SampleHistory(kafka) as samples,
        StripKeeper(samples, url, metrics, clock=clock),
    ):
        await runner.run(stop)
