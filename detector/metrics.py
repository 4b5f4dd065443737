"""Every metric of the detector. No patient id is a label: there is no end to them."""

from collections.abc import Mapping
from typing import get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info

from bus.messages import Decision, RefusalCode
from detector.drift import ScoreName
from detector.patient_streams import StaleReason
from ecg.findings import LethalKind

_LATENCY_S = (0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 5.0, 10.0, 30.0)
_SCORING_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
_BATCH = (1, 2, 5, 10, 20, 50, 100, 200, 500)
_SCORES = tuple(step / 20 for step in range(1, 21))
_LOOP_LAG_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0)


class DetectorMetrics:
    """The detector's metrics on one registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, meaning: str, labels: tuple[str, ...] = ()) -> Counter:
            return Counter(f"ecgstream_detector_{name}", meaning, labels, registry=registry)

        def gauge(name: str, meaning: str, labels: tuple[str, ...] = ()) -> Gauge:
            return Gauge(f"ecgstream_detector_{name}", meaning, labels, registry=registry)

        def histogram(name: str, meaning: str, buckets: tuple[float, ...], labels: tuple[str, ...] = ()) -> Histogram:
            return Histogram(f"ecgstream_detector_{name}", meaning, labels, buckets=buckets, registry=registry)

        self.chunks = counter("chunks", "Samples messages taken in")
        self.samples = counter("samples", "Samples taken in, all leads of one instant counted once")
        self.windows = counter("windows", "Windows judged, by decision", ("decision",))
        self.looks = counter("looks", "Looks judged: each second of each patient, at the newest four")
        self.urgent = counter("urgent", "Looks that showed what kills within minutes, by kind", ("kind",))
        self.dead_letters = counter(
            "dead_letters", "Dead letters written, by why: each tells of one refused message or several", ("code",)
        )
        self.refused_messages = counter("refused_messages", "Messages that were refused, by why", ("code",))
        self.gap_seconds = counter("gap_seconds", "Seconds of signal that never came, in and between windows")
        self.duplicate_samples = counter("duplicate_samples", "Samples that came twice and were dropped")
        self.stale_samples = counter("stale_samples", "Samples that came too late to be judged, by why", ("reason",))
        self.further_streams = counter(
            "further_streams", "Streams that began beside or after another of the same patient"
        )
        self.clock_jumps = counter("clock_jumps", "Windows in which a device's clock jumped")
        self.transactions = counter("transactions", "Transactions committed")
        self.rebalances = counter("rebalances", "Times that the group dealt the partitions anew, but the first")
        self.commit_failures = counter("commit_failures", "Transactions that were not committed, and done again")
        self.input_expired = counter("input_expired", "Samples messages that Kafka deleted before they were read")
        self.patients = gauge("patients", "Patients followed now")
        self.quarantined_senders = gauge(
            "quarantined_senders", "Keys of which nothing but bad messages come: these are only counted"
        )
        self.partitions = gauge("partitions", "Input partitions processed now")
        self.partitions_assigned = gauge("partitions_assigned", "Input partitions that the group gave this instance")
        self.partitions_existing = gauge("partitions_existing", "Partitions that the input topic has")
        self.lag_messages = gauge("lag_messages", "Messages that wait in these partitions")
        self.lag_seconds = gauge(
            "lag_seconds", "Seconds of ECG of each patient that wait in the partition that is furthest behind"
        )
        self.ring_bytes = gauge("ring_bytes", "Bytes of samples that are held of all patients")
        self.scores = histogram("scores", "Scores of the windows judged", _SCORES, ("score",))
        self.score_drift = gauge(
            "score_drift_psi",
            "Population stability index of a score against the training records; NaN while too little is known",
            ("score",),
        )
        self._models = Info("ecgstream_detector_model", "Versions of the models that judge", registry=registry)
        self.switches = counter("model_switches", "Switches to other models while running")
        self.switch_failures = counter("model_switch_failures", "Models that were put there and do not fit")
        self._shadow = Info(
            "ecgstream_detector_shadow_model", "Versions of the models in the shadow", registry=registry
        )
        self.shadow_windows = counter("shadow_windows", "Windows judged in the shadow")
        self.shadow_seconds = counter("shadow_seconds", "Time that judging in the shadow took, seconds")
        self.shadow_failures = counter("shadow_failures", "Batches that the models in the shadow could not judge")
        self.shadow_given_up = counter("shadow_given_up", "Windows not judged in the shadow, since its models are slow")
        self.batch_windows = histogram("batch_windows", "Windows scored in one call", _BATCH)
        self.scoring_seconds = histogram("scoring_seconds", "Time of one scoring call, seconds", _SCORING_S)
        self.latency_seconds = histogram(
            "latency_seconds", "From a window's last sample handed to the broker to its verdict committed", _LATENCY_S
        )
        self.loop_lag_seconds = histogram(
            "loop_lag_seconds", "How late the event loop wakes: heartbeats depend on it", _LOOP_LAG_S
        )
        # Shown as 0 from the start on, so that a rate sees the first of each.
        for decision in get_args(Decision):
            self.windows.labels(decision=decision)
        for kind in get_args(LethalKind):
            self.urgent.labels(kind=kind)
        for code in get_args(RefusalCode):
            if code != "command":
                self.refused_messages.labels(code=code)
                self.dead_letters.labels(code=code)
        for reason in get_args(StaleReason):
            self.stale_samples.labels(reason=reason)
        for score in get_args(ScoreName):
            self.scores.labels(score=score)
            self.score_drift.labels(score=score).set(float("nan"))

    def set_shadow(self, versions: Mapping[str, str]) -> None:
        """Say which models judge in the shadow."""
        self._shadow.info(dict(versions))

    def set_models(self, versions: Mapping[str, str], *, preprocessing: str) -> None:
        """Say which models judge."""
        self._models.info({**versions, "preprocessing": preprocessing})
