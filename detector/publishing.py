"""Messages that tell what was judged, and the figures that are kept of them."""

from bus import topics
from bus.interfaces import Headers, Outgoing
from bus.messages import Urgent, Verdict
from detector.drift import DriftMeter, ScoreName
from detector.metrics import DetectorMetrics
from detector.scorer import Scorer
from ops.clock import Clock

# On every verdict and urgent message: when the last message that it needed was handed to the broker, ms UTC.
INGEST_HEADER = "ecgstream-ingest-ms"
# On every verdict of the shadow: time that it took, microseconds.
SHADOW_HEADER = "ecgstream-shadow-us"


class Publisher:
    """Makes messages of verdicts and urgent findings, and counts them.

    Parameters
    ----------
    scorer : of whom the verdicts come
    metrics, clock : of the detector
    """

    def __init__(self, scorer: Scorer, *, metrics: DetectorMetrics, clock: Clock) -> None:
        self._metrics = metrics
        self._clock = clock
        self.use(scorer)

    def use(self, scorer: Scorer) -> None:
        """Count from here on what another scorer gives."""
        self._drift = DriftMeter(scorer.reference)
        self._metrics.set_models(scorer.versions, preprocessing=scorer.manifest.preprocessing_version)

    def measure_drift(self) -> None:
        """Bring the figures of the scores' drift up to date."""
        for score, index in self._drift.indices(self._clock.monotonic_s()).items():
            self._metrics.score_drift.labels(score=score).set(index)

    def messages(self, judged: Verdict | Urgent, headers: Headers) -> list[Outgoing]:
        """Return what is to be written of a verdict or an urgent finding.

        Parameters
        ----------
        judged : the verdict or finding
        headers : of the messages
        """
        if isinstance(judged, Urgent):
            self._metrics.urgent.labels(kind=judged.kind).inc()
            names = [topics.URGENT]
        else:
            self._count(judged)
            names = [topics.WINDOWS] + [topics.ANOMALIES] * (judged.decision == "abnormal")
        value, key = judged.to_bytes(), judged.patient.encode()
        return [Outgoing(topic=name, key=key, value=value, headers=headers) for name in names]

    @staticmethod
    def shadow_message(verdict: Verdict, headers: Headers, *, us_per_window: int) -> Outgoing:
        """Return what is to be written of a verdict of the shadow, with the time that it took, microseconds."""
        return Outgoing(
            topic=topics.SHADOW_WINDOWS,
            key=verdict.patient.encode(),
            value=verdict.to_bytes(),
            headers=(*headers, (SHADOW_HEADER, str(us_per_window).encode())),
        )

    def _count(self, verdict: Verdict) -> None:
        self._metrics.windows.labels(decision=verdict.decision).inc()
        given: tuple[tuple[ScoreName, float | None], ...] = (
            ("fused", verdict.fused),
            ("cnn", verdict.cnn),
            ("autoencoder", verdict.autoencoder),
        )
        scores: dict[ScoreName, float] = {name: value for name, value in given if value is not None}
        for score, value in scores.items():
            self._metrics.scores.labels(score=score).observe(value)
        if scores:
            self._drift.add(scores, self._clock.monotonic_s())
        continuity = verdict.continuity
        gap_s = continuity.gap_before_s + continuity.missing_samples / verdict.fs_hz
        self._metrics.gap_seconds.inc(gap_s)
        self._metrics.duplicate_samples.inc(continuity.duplicate_samples)
        if continuity.clock_jumps_abs_ns:
            self._metrics.clock_jumps.inc()
