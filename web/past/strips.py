"""A strip of the past: the samples, and what was found in them, for the page and on paper."""

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel

from alerting.strips.alarm_strip import AlarmStrip
from bus.final_beats import final_beats
from bus.messages import Beat, Decision, Finding, Verdict
from bus.sample_history import StoredSamples
from ecg.findings import RhythmFinding, describe_finding, family_of
from ecg.leads import choose_leads
from ecg.records import MISSING, Int16Array, to_millivolts
from reports.strip import Strip, StripBeat, StripFinding, StripWindow

DAY_NS = 86_400_000_000_000

Form = Literal["json", "png", "pdf", "svg"]
MEDIA_TYPES: dict[Form, str] = {
    "json": "application/json",
    "png": "image/png",
    "pdf": "application/pdf",
    "svg": "image/svg+xml",
}


Sampled = StoredSamples | AlarmStrip


class StripWindowView(BaseModel):
    """A judged window on a strip."""

    id: str
    start_ns: int
    end_ns: int
    decision: Decision
    fused: float | None
    reasons: tuple[str, ...]


class StripView(BaseModel):
    """A strip as numbers.

    Attributes
    ----------
    samples : a row for each time, a column for each lead, ADC units; null where none came
    gain, baseline : millivolts are (value - baseline) / gain
    """

    patient: str
    leads: tuple[str, ...]
    fs_hz: float
    start_ns: int
    gain: tuple[float, ...]
    baseline: tuple[int, ...]
    samples: list[list[int | None]]
    beats: tuple[Beat, ...]
    windows: tuple[StripWindowView, ...]
    findings: tuple[Finding, ...]


def rows_of(samples: Int16Array) -> list[list[int | None]]:
    """Samples as JSON has them."""
    return [[None if value == MISSING else value for value in row] for row in samples.tolist()]


def view_of(found: Sampled, verdicts: Sequence[Verdict]) -> StripView:
    """A strip as numbers."""
    end_ns = _end_ns(found)
    return StripView(
        patient=found.patient,
        leads=found.leads,
        fs_hz=found.fs_hz,
        start_ns=found.start_ns,
        gain=found.gain,
        baseline=found.baseline,
        samples=rows_of(found.samples),
        beats=tuple(beat for beat in final_beats(verdicts) if found.start_ns <= beat.t_ns < end_ns),
        windows=tuple(
            StripWindowView(
                id=verdict.id,
                start_ns=verdict.start_ns,
                end_ns=verdict.end_ns,
                decision=verdict.decision,
                fused=verdict.fused,
                reasons=verdict.reasons,
            )
            for verdict in verdicts
        ),
        findings=tuple(findings_of(verdicts)),
    )


def drawn(found: Sampled, verdicts: Sequence[Verdict], form: Form) -> bytes:
    """A strip on ECG paper, true to scale; takes a tenth of a second.

    Parameters
    ----------
    found : the samples
    verdicts : those that touch it
    form : "png", "pdf" or "svg"
    """
    # matplotlib takes a second to load, and a page need not draw.
    from reports.formats import to_pdf, to_png, to_svg  # noqa: PLC0415
    from reports.paper import draw_strip  # noqa: PLC0415

    midnight_ns = found.start_ns // DAY_NS * DAY_NS

    def clock_s(t_ns: int) -> float:
        return (t_ns - midnight_ns) / 1e9

    columns = list(choose_leads(found.leads))
    view = view_of(found, verdicts)
    figure = draw_strip(
        Strip(
            fs_hz=found.fs_hz,
            leads=tuple(found.leads[column] for column in columns),
            samples_mv=to_millivolts(
                found.samples[:, columns],
                tuple(found.gain[column] for column in columns),
                tuple(found.baseline[column] for column in columns),
            ),
            start_s=clock_s(found.start_ns),
            beats=tuple(StripBeat(t_s=clock_s(beat.t_ns), beat_class=beat.beat_class) for beat in view.beats),
            windows=tuple(
                StripWindow(
                    start_s=clock_s(window.start_ns),
                    end_s=clock_s(window.end_ns),
                    decision=window.decision,
                    score=window.fused,
                )
                for window in view.windows
            ),
            findings=tuple(
                StripFinding(start_s=clock_s(one.start_ns), end_s=clock_s(one.end_ns), text=finding_text(one))
                for one in view.findings
            ),
        )
    )
    if form == "png":
        return to_png(figure)
    return to_pdf(figure) if form == "pdf" else to_svg(figure).encode()


def findings_of(verdicts: Sequence[Verdict]) -> list[Finding]:
    """Each finding once, as far as it has come."""
    newest: dict[tuple[str, int], Finding] = {}
    for verdict in verdicts:
        for one in verdict.findings:
            newest[family_of(one.kind), one.start_ns] = one
    return list(newest.values())


def finding_text(finding: Finding) -> str:
    """A finding as a short phrase."""
    return describe_finding(
        RhythmFinding(kind=finding.kind, start_ns=finding.start_ns, end_ns=finding.end_ns, beats=finding.beats)
    )


def _end_ns(found: Sampled) -> int:
    return found.start_ns + round(len(found.samples) * 1e9 / found.fs_hz)
