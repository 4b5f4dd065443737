"""From a scored window to its verdict."""

from math import exp

import numpy as np

from bus.messages import Beat, Continuity, Decision, Evidence, Finding, Quality, Verdict
from detector.due import DueWindow
from detector.judgement import JudgedBeat, Judgement
from detector.manifest import Manifest
from detector.score import Score
from detector.window_parts import PART_S
from ecg.findings import PRIORITIES, RhythmFinding, describe_finding

_NAMES = {"S": "supraventricular", "V": "ventricular", "F": "fusion"}


def make_verdict(
    due: DueWindow,
    score: Score,
    judgement: Judgement,
    findings: tuple[RhythmFinding, ...],
    *,
    manifest: Manifest,
) -> Verdict:
    """The message on a window that was judged.

    Parameters
    ----------
    due, score : the window, and what the models say of it
    judgement : the two held against what is usual for the patient
    findings : of the rhythm, those that began or grew in the window
    manifest : of the models
    """
    decision: Decision = "unusable"
    if judgement.fused is not None:
        # What may kill at once is abnormal, whatever the networks make of it.
        deadly = any(PRIORITIES[finding.kind] == "high" for finding in findings)
        decision = "abnormal" if deadly or judgement.fused >= manifest.thresholds.fused else "normal"
    return Verdict(
        id=due.id,
        patient=due.stream.patient,
        device=due.source.device,
        stream_start_ns=due.stream.start_ns,
        window=due.window,
        hop_s=due.hop_s,
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
        beats=tuple(_beat(beat) for beat in judgement.beats),
        corrected=None if judgement.corrected is None else _beat(judgement.corrected),
        findings=tuple(
            Finding(kind=f.kind, start_ns=f.start_ns, end_ns=f.end_ns, rate_bpm=f.rate_bpm, beats=f.beats)
            for f in findings
        ),
        heart_rate_bpm=score.heart_rate_bpm,
        quality=Quality.of(score.quality, score.flags),
        continuity=Continuity(
            gap_before_s=due.gap_before_s,
            missing_samples=due.missing_samples,
            duplicate_samples=due.duplicate_samples,
            clock_jump_ns=due.clock_jump_ns,
            clock_jumps_abs_ns=due.clock_jumps_abs_ns,
        ),
        reasons=_reasons(due, score, judgement, findings, manifest, abnormal=decision == "abnormal"),
        evidence=_evidence(score) if decision == "abnormal" else None,
        models=manifest.versions,
    )


def _beat(beat: JudgedBeat) -> Beat:
    return Beat(t_ns=beat.t_ns, beat_class=beat.beat_class, confidence=beat.confidence)


def _evidence(score: Score) -> Evidence | None:
    """Return which parts carried an abnormal verdict; a normal one needs no reason, and millions of them cost room."""
    if score.parts is None:
        return None
    beats, shape = (tuple(row) for row in np.round(score.parts.astype(np.float64), 3).tolist())
    return Evidence(part_s=PART_S, beats=beats, shape=shape)


def _reasons(
    due: DueWindow,
    score: Score,
    judgement: Judgement,
    findings: tuple[RhythmFinding, ...],
    manifest: Manifest,
    *,
    abnormal: bool,
) -> tuple[str, ...]:
    """Return why the verdict is what it is, in words, the weightiest first."""
    by_weight = list(PRIORITIES)
    sorted_findings = sorted(findings, key=lambda found: by_weight.index(found.kind))
    # Two couplets in a window are one reason.
    reasons = list(dict.fromkeys(describe_finding(finding) for finding in sorted_findings))
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
    """Return what makes the window abnormal."""
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
