"""Models in the shadow: they judge the same windows beside those that count, and nobody is alarmed by what they say."""

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import structlog

from bus.messages import Verdict
from detector.due import Due, StreamId
from detector.manifest import ModelError
from detector.metrics import DetectorMetrics
from detector.patient import PatientContext, judge_all
from detector.results import Results, scored_by
from detector.scorer import Scorer, scorer_at
from detector.sessions import TooSlowError
from detector.settings import DetectorSettings
from ops.clock import Clock

log = structlog.get_logger(__name__)

Contexts = Mapping[StreamId, PatientContext]

# The verdicts that count wait for it in their thread: half of a second is seldom missed of the five between windows.
LIMIT_S = 0.5
# After it took longer, none is tried for so long; twice as long each time in a row.
FIRST_PAUSE_S, LONGEST_PAUSE_S = 10.0, 300.0


class ShadowJudged(NamedTuple):
    """Outcome of a batch in the shadow.

    Attributes
    ----------
    verdicts : on each window that was due, in their order; None for a rapid check, and where the models gave none
    contexts : of each stream, after the batch; none where the models gave none
    us_per_window : time that a window took, microseconds
    """

    verdicts: list[Verdict | None]
    contexts: dict[StreamId, PatientContext]
    us_per_window: int


class Shadow:
    """Models in the shadow, and what they remember of each patient.

    What they remember is kept in memory alone: it begins anew after a restart, and when a patient comes back.
    Models that take too long are left alone for a while: the verdicts that count come from the same thread.

    Parameters
    ----------
    scorer : of the models, with the preprocessing of those that count
    metrics : of the detector
    clock : tells when models that took too long are tried again
    limit_s : that they may take for a batch
    """

    def __init__(self, scorer: Scorer, metrics: DetectorMetrics, clock: Clock, *, limit_s: float = LIMIT_S) -> None:
        self._scorer = scorer
        self._metrics = metrics
        self._clock = clock
        self._limit_s = limit_s
        self._pause_s = 0.0
        self._again_s = clock.monotonic_s()
        self._contexts: dict[int, dict[str, dict[StreamId, PatientContext]]] = {}
        self._logged: set[str] = set()
        metrics.set_shadow(scorer.versions)

    def contexts(self, partition: int, streams: Iterable[StreamId]) -> dict[StreamId, PatientContext]:
        """Return what is remembered of streams of a partition."""
        patients = self._contexts.get(partition, {})
        found = ((stream, patients.get(stream.patient, {}).get(stream)) for stream in streams)
        return {stream: context for stream, context in found if context is not None}

    def judge(self, due: Sequence[Due], found: Results, contexts: Contexts) -> ShadowJudged:
        """Judge what is due once more; whatever goes wrong is counted and logged, and never the caller's concern.

        Changes nothing that the event loop reads: it may run in a thread, one batch at a time.

        Parameters
        ----------
        due : of any streams
        found : what was filtered and measured for the models that count
        contexts : of each stream, before
        """
        nothing = ShadowJudged([None] * len(due), {}, 0)
        if self._clock.monotonic_s() < self._again_s:
            self._metrics.shadow_given_up.inc(found.windows)
            return nothing
        began_s = time.perf_counter()
        try:
            with self._scorer.limited(self._limit_s):
                results = scored_by(self._scorer, due, found)
            judged = judge_all(
                contexts,
                due,
                results,
                class_beats=self._scorer.class_beats,
                manifest=self._scorer.manifest,
            )
            verdicts = [next((one for one in each.published if isinstance(one, Verdict)), None) for each in judged]
        except TooSlowError:
            self._took_too_long(time.perf_counter() - began_s, found.windows)
            return nothing
        except Exception as error:  # noqa: BLE001 # of a stranger's model anything may come, and it may stop nothing
            self._failed(error)
            return nothing
        self._pause_s = 0.0
        took_s = time.perf_counter() - began_s
        self._metrics.shadow_windows.inc(found.windows)
        self._metrics.shadow_seconds.inc(took_s)
        return ShadowJudged(
            verdicts,
            {each.stream: one.context for each, one in zip(due, judged, strict=True)},
            round(1e6 * took_s / max(1, found.windows)),
        )

    def remember(self, partition: int, due: Sequence[Due], judged: ShadowJudged) -> None:
        """Remember what was learned of a partition's streams, of each patient that of its newest stream."""
        patients = self._contexts.setdefault(partition, {})
        for each in due:
            if (context := judged.contexts.get(each.stream)) is None:
                patients.pop(each.stream.patient, None)
            else:
                patients[each.stream.patient] = {each.stream: context}

    def forget(self, partition: int, patient: str | None = None) -> None:
        """Forget a patient, or all of a partition."""
        if patient is None:
            self._contexts.pop(partition, None)
        else:
            self._contexts.get(partition, {}).pop(patient, None)

    def _took_too_long(self, took_s: float, windows: int) -> None:
        self._pause_s = min(LONGEST_PAUSE_S, max(FIRST_PAUSE_S, 2 * self._pause_s))
        self._again_s = self._clock.monotonic_s() + self._pause_s
        self._metrics.shadow_given_up.inc(windows)
        log.warning(
            "shadow_too_slow",
            models=self._scorer.versions,
            windows=windows,
            took_s=round(took_s, 3),
            limit_s=self._limit_s,
            again_in_s=self._pause_s,
        )

    def _failed(self, error: Exception) -> None:
        self._metrics.shadow_failures.inc()
        kind = type(error).__name__
        if kind not in self._logged:  # each kind once: the counter has the rest
            self._logged.add(kind)
            log.error("shadow_failed", models=self._scorer.versions, kind=kind, error=str(error))


def open_shadow(settings: DetectorSettings, metrics: DetectorMetrics, clock: Clock) -> Shadow | None:
    """Load the models of the shadow; None where there are none, or they do not fit, which is logged and counted.

    Parameters
    ----------
    settings : of the detector
    metrics : of the detector
    clock : of the detector
    """
    if settings.shadow is None:
        return None
    try:
        return Shadow(scorer_at(settings.shadow, settings), metrics, clock)
    except ModelError as error:
        metrics.shadow_failures.inc()
        log.error("shadow_left_out", directory=str(settings.shadow), error=str(error))  # noqa: TRY400 # no trace helps
        return None
