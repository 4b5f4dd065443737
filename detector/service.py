"""The detector as a service: the loop around the transform."""

import asyncio
from collections.abc import Callable

from prometheus_client import CollectorRegistry

from bus import topics
from bus.exactly_once import ExactlyOnce
from bus.progress_store import KafkaProgressStore
from bus.settings import KafkaSettings
from detector.metrics import DetectorMetrics
from detector.partition_state import SERVICE
from detector.scorer import scorer_of
from detector.settings import DetectorSettings
from detector.shadow import open_shadow
from detector.switching import switch_models
from detector.transform import DetectorTransform
from ops.clock import Clock, SystemClock
from ops.probes import probing


async def run(
    kafka: KafkaSettings,
    settings: DetectorSettings,
    stop: asyncio.Event,
    *,
    registry: CollectorRegistry,
    on_start: Callable[[ExactlyOnce], None] = lambda _: None,
    clock: Clock | None = None,
) -> None:
    """Detect until ``stop`` is set.

    Parameters
    ----------
    kafka, settings : how to reach Kafka, and how to work
    stop : set it to end; what is pending is committed first
    registry : where the metrics go
    on_start : is handed the runner, which knows when it is ready

    Raises
    ------
    ModelError : when the models do not fit
    BrokerError : when no broker answers at the start
    """
    clock = clock or SystemClock()
    metrics = DetectorMetrics(registry)
    scorer = scorer_of(settings)
    store = KafkaProgressStore(kafka, topics.DETECTOR_PROGRESS)
    transform = DetectorTransform(
        scorer,
        silent_s=settings.silent_s,
        forget_s=settings.forget_s,
        store=store,
        partitions=kafka.partitions,
        max_patients=settings.max_patients,
        shadow=open_shadow(settings, metrics, clock),
        metrics=metrics,
        clock=clock,
    )
    runner = ExactlyOnce(
        kafka,
        transform,
        service=SERVICE,
        instance=settings.instance,
        on_expired=metrics.input_expired.inc,
        on_rebalance=metrics.rebalances.inc,
        on_commit_failure=metrics.commit_failures.inc,
        clock=clock,
    )
    on_start(runner)

    def gauges() -> None:
        metrics.patients.set(transform.patients)
        metrics.quarantined_senders.set(transform.quarantined)
        metrics.partitions.set(runner.partitions)
        metrics.partitions_assigned.set(runner.assigned)
        metrics.partitions_existing.set(runner.existing)
        lag = runner.lag()
        metrics.lag_messages.set(sum(lag.values()))
        metrics.lag_seconds.set(transform.seconds_waiting(lag))
        metrics.ring_bytes.set(transform.ring_bytes)
        transform.measure_drift()

    switching = asyncio.create_task(switch_models(settings, transform.switch, metrics=metrics, clock=clock))
    try:
        async with store, probing(clock=clock, loop_lag=metrics.loop_lag_seconds, gauges=gauges):
            await runner.run(stop)
    finally:
        switching.cancel()
        await asyncio.gather(switching, return_exceptions=True)
        transform.shut_down()
