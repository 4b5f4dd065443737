"""Beats as WFDB annotations: the detector's, and what people decided on them."""

from bisect import bisect_left
from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np

from bus.beat_reviews import SAME_BEAT_NS
from bus.final_beats import final_beats
from bus.messages import Beat, BeatReview, Verdict
from bus.stored_samples import StoredSamples
from ecg.annotations import Annotations
from ecg.records import exact_rate

REJECTED = "|"  # WFDB: an artifact that looks like a QRS
UNCLASSED = "Q"  # WFDB: unclassifiable
_NS = 1_000_000_000


def annotations_of(stored: StoredSamples, verdicts: Sequence[Verdict], reviews: Sequence[BeatReview]) -> Annotations:
    """Return an annotation for each beat: its note says whose word it is, and when a person gave it.

    Parameters
    ----------
    stored : the samples that they belong to
    verdicts : on them, in the order of their time
    reviews : decisions as they stand, one a beat
    """
    beats: dict[int, Beat] = {beat.t_ns: beat for beat in final_beats(verdicts)}
    times = sorted(beats)
    decided = {_nearest(times, review.t_ns): review for review in reviews}
    rate = exact_rate(stored.fs_hz)
    found: list[tuple[int, str, str]] = []
    for t_ns in sorted(beats.keys() | decided.keys()):
        sample = round((t_ns - stored.start_ns) * rate / _NS)
        if 0 <= sample < len(stored.samples):
            found.append((sample, *_described(beats.get(t_ns), decided.get(t_ns))))
    return Annotations(
        sample=np.array([sample for sample, _, _ in found], np.int64),
        symbol=tuple(symbol for _, symbol, _ in found),
        aux=tuple(aux for _, _, aux in found),
    )


def _nearest(times: Sequence[int], t_ns: int) -> int:
    """The time of the beat that is meant; the time itself where none was detected."""
    at = bisect_left(times, t_ns)
    near = [one for one in times[max(0, at - 1) : at + 1] if abs(one - t_ns) < SAME_BEAT_NS]
    return min(near, key=lambda one: abs(one - t_ns), default=t_ns)


def _described(beat: Beat | None, review: BeatReview | None) -> tuple[str, str]:
    """The symbol and note of a beat that was detected, decided on, or both."""
    detected = (beat.beat_class if beat is not None else review.detected if review is not None else None) or UNCLASSED
    sure = "" if beat is None or beat.confidence is None else f" {beat.confidence:.2f}"
    whose = f"detector {detected}{sure}" if beat is not None or (review and review.detected) else "no beat detected"
    if review is None:
        return detected, whose
    when = datetime.fromtimestamp(review.sent_ns // _NS, UTC).isoformat()
    symbol = {"accept": detected, "reject": REJECTED, "reclass": review.beat_class or UNCLASSED}.get(
        review.decision, detected
    )
    return symbol, f"{review.decision} by {review.by} {when}; {whose}"
