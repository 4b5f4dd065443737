"""From a scored window to its verdict."""

from typing import Any, cast

from bus.messages import Beat, Continuity, Decision, Quality, Verdict
from detector.beat_map import BeatFinding
from detector.manifest import Manifest
from detector.scorer import Score
from detector.stream import DueWindow, PatientStream
from ecg.beats import REFRACTORY_S
from ecg.segments import MODEL_FS_HZ, MODEL_SAMPLES

SETTLE_NS = 500_000_000  # a beat is reported once half a second has followed it: its T wave tells it from noise
OVERLAP_NS = 300_000_000  # a beat that the window before placed just behind its end and this one just before
REFRACTORY_NS = round(REFRACTORY_S * 1e9)

_NAMES = {"S": "supraventricular", "V": "ventricular", "F": "fusion"}


def make_verdict(due: DueWindow, score: Score, stream: PatientStream, *, manifest: Manifest) -> Verdict:
    """The verdict on a window; notes in the stream which beats have been reported.

    Verdicts of a stream are to be made in the order of their windows.
    """
    beats = _settled(due, score.beats, stream)
    decision: Decision = "unusable"
    if score.fused is not None:
        decision = "abnormal" if score.fused >= manifest.thresholds.fused else "normal"
    return Verdict(
        id=f"{due.patient}/{due.stream_start_ns}/{due.window}",
        patient=due.patient,
        device=due.source.device,
        stream_start_ns=due.stream_start_ns,
        window=due.window,
        start_ns=due.start_ns,
        end_ns=due.end_ns,
        fs_hz=due.source.fs_hz,
        leads=due.source.leads,
        lead=score.lead,
        decision=decision,
        cnn=score.cnn,
        autoencoder=score.autoencoder,
        autoencoder_error=score.autoencoder_error,
        fused=score.fused,
        threshold=manifest.thresholds.fused,
        beats=beats,
        heart_rate_bpm=score.heart_rate_bpm,
        quality=_quality(score),
        continuity=Continuity(
            gap_before_s=due.gap_before_s,
            missing_samples=due.missing_samples,
            duplicate_samples=due.duplicate_samples,
            clock_jump_ns=due.clock_jump_ns,
        ),
        reasons=_reasons(due, score, beats, manifest, abnormal=decision == "abnormal"),
        models={"cnn": manifest.cnn.version, "autoencoder": manifest.autoencoder.version},
    )


def _settled(due: DueWindow, findings: tuple[BeatFinding, ...], stream: PatientStream) -> tuple[Beat, ...]:
    """The beats that this verdict reports: those since the last one reported, up to half a second before the end."""
    earliest = due.start_ns - SETTLE_NS - OVERLAP_NS
    if stream.last_beat_ns is not None:
        earliest = max(earliest, stream.last_beat_ns + REFRACTORY_NS)
    beats = []
    for finding in findings:
        t_ns = due.end_ns - round((MODEL_SAMPLES - finding.position) / MODEL_FS_HZ * 1e9)
        if earliest <= t_ns < due.end_ns - SETTLE_NS:
            beats.append(Beat(t_ns=t_ns, beat_class=finding.beat_class, confidence=finding.confidence))
            earliest = t_ns + REFRACTORY_NS
    if beats:
        stream.last_beat_ns = beats[-1].t_ns
    return tuple(beats)


def _quality(score: Score) -> Quality:
    missing, flat, clipped, noise = score.quality
    return Quality(missing=missing, flat=flat, clipped=clipped, noise=noise, flags=cast("Any", score.flags))


def _reasons(
    due: DueWindow, score: Score, beats: tuple[Beat, ...], manifest: Manifest, *, abnormal: bool
) -> tuple[str, ...]:
    """Why the verdict is what it is, in words, the weightiest first."""
    reasons = _findings(score, beats, manifest) if abnormal else []
    noted = {
        f"gap of {due.gap_before_s:g} s before": due.gap_before_s,
        f"{due.missing_samples} samples missing": due.missing_samples,
        f"{due.duplicate_samples} samples came twice": due.duplicate_samples,
        f"device clock jumped by {due.clock_jump_ns / 1e9:+.3f} s": due.clock_jump_ns,
    }
    reasons.extend(text for text, present in noted.items() if present)
    reasons.extend(flag.replace("_", " ") for flag in score.flags if flag != "gap")
    first_lead = due.source.leads[due.columns[0]]
    if score.lead is None and not reasons:
        reasons.append("too little of the signal was received")
    elif score.lead not in {None, first_lead}:
        reasons.append(f"judged on lead {score.lead}: {first_lead} is unusable")
    return tuple(reasons)


def _findings(score: Score, beats: tuple[Beat, ...], manifest: Manifest) -> list[str]:
    """What makes the window abnormal."""
    counts = {name: sum(beat.beat_class == letter for beat in beats) for letter, name in _NAMES.items()}
    findings = [f"{count} {name} beat{'s' if count > 1 else ''}" for name, count in counts.items() if count]
    limits = manifest.thresholds
    for name, value, limit in (
        ("CNN", score.cnn, limits.cnn),
        ("autoencoder", score.autoencoder, limits.autoencoder),
        ("fused", score.fused, limits.fused),
    ):
        if value is not None and value >= limit:
            findings.append(f"{name} score {value:.2f}, limit {limit:.2f}")
    return findings
