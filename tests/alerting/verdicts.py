"""Verdicts for the tests of alerting."""

from bus.messages import Continuity, Decision, Finding, Quality, Urgent, Verdict
from ecg.findings import FindingKind, LethalKind

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
    autoencoder: float | None = None,
    findings: tuple[Finding, ...] = (),
    flags: tuple[str, ...] = (),
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
        autoencoder=score if autoencoder is None else autoencoder,
        autoencoder_error=score,
        fused=score,
        threshold=0.5,
        beats=(),
        findings=findings,
        heart_rate_bpm=heart_rate_bpm,
        quality=Quality.model_validate({"missing": 0, "flat": 0, "clipped": 0, "noise": 0, "flags": flags}),
        continuity=Continuity(),
        reasons=reasons,
        models={},
    )


def finding(kind: FindingKind, window: int, *, beats: int | None = 6, seconds: float = 3.0) -> Finding:
    """A rhythm finding that lies in the ``window``-th window."""
    start_ns = START_NS + window * HOP_NS + 1_000_000_000
    rate = None if beats is None else round((beats - 1) * 60 / seconds, 1)
    return Finding(kind=kind, start_ns=start_ns, end_ns=start_ns + round(seconds * 1e9), rate_bpm=rate, beats=beats)


def urgent(
    second: int,
    kind: LethalKind = "asystole",
    *,
    flags: tuple[str, ...] = (),
    patient: str = "p1",
    stream_start_ns: int = START_NS,
) -> Urgent:
    """An urgent message of a rapid check that ends with a second of the stream."""
    end_ns = stream_start_ns + second * 1_000_000_000
    return Urgent(
        id=f"{patient}/{stream_start_ns}/{second}s",
        patient=patient,
        device="holter",
        stream_start_ns=stream_start_ns,
        second=second,
        kind=kind,
        start_ns=end_ns - 4_000_000_000,
        end_ns=end_ns,
        lead="MLII",
        value=4.0,
        limit=4.0,
        unit="s",
        quality=Quality.model_validate({"missing": 0, "flat": 0, "clipped": 0, "noise": 0, "flags": flags}),
        reasons=("no QRS in 4 s",),
    )
