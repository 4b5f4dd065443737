"""From a scored window to its verdict."""

from math import exp
from typing import Any, cast

import numpy as np

from bus.messages import Beat, Continuity, Decision, Evidence, Finding, Quality, Verdict
from detector.judgement import OVERLAP_NS, SETTLE_NS, Judgement, judge, time_of
from detector.manifest import Manifest
from detector.parts import PART_S
from detector.scorer import Score
from detector.stream import CLOCK_TOLERANCE_NS, DueWindow
from ecg.fibrillation import NO_WAVE
from ecg.findings import PRIORITIES, RhythmFinding, in_words
from ecg.rhythm import Span, step

_NAMES = {"S": "supraventricular", "V": "ventricular", "F": "fusion"}


def make_verdict(due: DueWindow, score: Score, *, manifest: Manifest) -> Verdict:
    """The verdict on a window; notes in the stream what is usual for the patient, and the rhythm.

    Verdicts of a stream are to be made in the order of their windows.
    """
    judgement = _judge(due, score, manifest)
    beats = tuple(
        Beat(t_ns=beat.t_ns, beat_class=beat.beat_class, confidence=beat.confidence) for beat in judgement.beats
    )
    findings = _rhythm(due, score, beats)
    decision: Decision = "unusable"
    if judgement.fused is not None:
        # What may kill at once is abnormal, whatever the networks make of it.
        deadly = any(PRIORITIES[finding.kind] == "high" for finding in findings)
        decision = "abnormal" if deadly or judgement.fused >= manifest.thresholds.fused else "normal"
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
        cnn=judgement.cnn,
        autoencoder=judgement.autoencoder,
        autoencoder_error=None if score.log_error is None else exp(score.log_error),
        fused=judgement.fused,
        threshold=manifest.thresholds.fused,
        beats=beats,
        findings=tuple(
            Finding(kind=f.kind, start_ns=f.start_ns, end_ns=f.end_ns, rate_bpm=f.rate_bpm, beats=f.beats)
            for f in findings
        ),
        heart_rate_bpm=score.heart_rate_bpm,
        quality=_quality(score),
        continuity=Continuity(
            gap_before_s=due.gap_before_s,
            missing_samples=due.missing_samples,
            duplicate_samples=due.duplicate_samples,
            clock_jump_ns=due.clock_jump_ns,
            clock_jumps_abs_ns=due.clock_jumps_abs_ns,
        ),
        reasons=_reasons(due, score, judgement, findings, manifest, abnormal=decision == "abnormal"),
        evidence=_evidence(score) if decision == "abnormal" else None,
        models={"cnn": manifest.cnn.version, "autoencoder": manifest.autoencoder.version},
    )


def _judge(due: DueWindow, score: Score, manifest: Manifest) -> Judgement:
    """Judge the window against what is usual for the patient, and note what is usual now."""
    stream = due.stream
    if stream.baseline.last_beat_ns is not None and stream.rhythm.end_ns is not None:
        # Turned back, the device's clock must not hide the beats to come.
        jump_ns = due.start_ns - stream.rhythm.end_ns - round(due.gap_before_s * 1e9)
        if abs(jump_ns) > CLOCK_TOLERANCE_NS:
            stream.baseline = stream.baseline.shifted(jump_ns)
    stream.baseline, judgement = judge(
        stream.baseline,
        score,
        start_ns=due.start_ns,
        end_ns=due.end_ns,
        reading=manifest.personal,
        calibration=manifest.calibration,
    )
    return judgement


def _rhythm(due: DueWindow, score: Score, beats: tuple[Beat, ...]) -> tuple[RhythmFinding, ...]:
    """The findings that began or grew in the window."""
    _, flat, _, _ = score.quality
    holes = [(time_of(start, due.end_ns), time_of(end, due.end_ns)) for start, end in score.holes]
    # Those that end with or before the beats handed over; of one that goes on, the next window tells.
    first_ns, last_ns = due.start_ns - SETTLE_NS, due.end_ns - SETTLE_NS
    open_from_ns = min((start for start, end in holes if end > last_ns), default=due.end_ns)
    span = Span(
        start_ns=due.start_ns,
        end_ns=due.end_ns,
        settled_ns=min(due.end_ns - SETTLE_NS - OVERLAP_NS, open_from_ns),
        usable=score.lead is not None,
        holes=tuple(hole for hole in holes if first_ns < hole[1] <= last_ns),
        # Nobody knows how well beats are found in a stand-in: the rapid check, which knows its swing, tells of silence.
        doubtful_ns=round((1.0 if score.lacking else flat) * (due.end_ns - due.start_ns)),
        leakage=NO_WAVE if score.leakage is None else score.leakage,
    )
    stream = due.stream
    stream.rhythm, findings = step(stream.rhythm, ((beat.t_ns, beat.beat_class or "Q") for beat in beats), span)
    return findings


def _evidence(score: Score) -> Evidence | None:
    """Which parts carried an abnormal verdict; a normal one needs no reason, and millions of them cost room."""
    if score.parts is None:
        return None
    beats, shape = (tuple(row) for row in np.round(score.parts.astype(np.float64), 3).tolist())
    return Evidence(part_s=PART_S, beats=beats, shape=shape)


def _quality(score: Score) -> Quality:
    missing, flat, clipped, noise = score.quality
    return Quality(missing=missing, flat=flat, clipped=clipped, noise=noise, flags=cast("Any", score.flags))


def _reasons(
    due: DueWindow,
    score: Score,
    judgement: Judgement,
    findings: tuple[RhythmFinding, ...],
    manifest: Manifest,
    *,
    abnormal: bool,
) -> tuple[str, ...]:
    """Why the verdict is what it is, in words, the weightiest first."""
    by_weight = list(PRIORITIES)
    sorted_findings = sorted(findings, key=lambda found: by_weight.index(found.kind))
    # Two couplets in a window are one reason.
    reasons = list(dict.fromkeys(in_words(finding) for finding in sorted_findings))
    if abnormal:
        reasons.extend(_beats_and_scores(judgement, manifest))
    noted = {
        f"gap of {due.gap_before_s:g} s before": due.gap_before_s,
        f"{due.missing_samples} samples missing": due.missing_samples,
        f"{due.duplicate_samples} samples came twice": due.duplicate_samples,
        _clock_jumps(due): due.clock_jumps_abs_ns,
    }
    reasons.extend(text for text, present in noted.items() if present)
    reasons.extend(flag.replace("_", " ") for flag in score.flags if flag != "gap")
    first_lead = due.source.leads[due.columns[0]]
    if score.lead is None and (score.lacking or not reasons):
        reasons.insert(0, "too little received")
    elif score.lead not in {None, first_lead}:
        reasons.append(f"judged on lead {score.lead}: {first_lead} is unusable")
    return tuple(reasons)


def _clock_jumps(due: DueWindow) -> str:
    if due.clock_jumps_abs_ns == abs(due.clock_jump_ns):
        return f"device clock jumped by {due.clock_jump_ns / 1e9:+.3f} s"
    return (
        f"device clock jumped to and fro by {due.clock_jumps_abs_ns / 1e9:.3f} s in all, "
        f"{due.clock_jump_ns / 1e9:+.3f} s in the end"
    )


def _beats_and_scores(judgement: Judgement, manifest: Manifest) -> list[str]:
    """What makes the window abnormal."""
    counts = {name: sum(beat.beat_class == letter for beat in judgement.beats) for letter, name in _NAMES.items()}
    found = [f"{count} {name} beat{'s' if count > 1 else ''}" for name, count in counts.items() if count]
    limits = manifest.thresholds
    for name, value, limit in (
        ("CNN", judgement.cnn, limits.cnn),
        ("autoencoder", judgement.autoencoder, limits.autoencoder),
        ("fused", judgement.fused, limits.fused),
    ):
        if value is not None and value >= limit:
            found.append(f"{name} score {value:.2f}, limit {limit:.2f}")
    return found
