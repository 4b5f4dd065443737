"""Verdicts for the tests of alerting."""

from bus.messages import Continuity, Decision, Quality, Verdict

HOP_NS = 5_000_000_000
START_NS = 1_700_000_000_000_000_000
SCORES: dict[Decision, float | None] = {"normal": 0.1, "abnormal": 0.9, "unusable": None}


def verdict(
    window: int,
    decision: Decision,
    *,
    patient: str = "p1",
    stream_start_ns: int = START_NS,
    start_ns: int | None = None,
    fused: float | None = None,
    heart_rate_bpm: float | None = 72.0,
    reasons: tuple[str, ...] = (),
) -> Verdict:
    """A verdict on the ``window``-th window of a stream."""
    score = SCORES[decision] if fused is None else fused
    start = stream_start_ns + window * HOP_NS if start_ns is None else start_ns
    return Verdict(
        id=f"{patient}/{stream_start_ns}/{window}",
        patient=patient,
        device="holter",
        stream_start_ns=stream_start_ns,
        window=window,
        start_ns=start,
        end_ns=start + HOP_NS,
        fs_hz=360.0,
        leads=("MLII",),
        lead="MLII",
        decision=decision,
        cnn=score,
        autoencoder=score,
        autoencoder_error=score,
        fused=score,
        threshold=0.5,
        beats=(),
        heart_rate_bpm=heart_rate_bpm,
        quality=Quality(missing=0, flat=0, clipped=0, noise=0),
        continuity=Continuity(),
        reasons=reasons,
        models={},
    )
