"""Reports and strips of recordings that are kept."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Literal

import numpy as np

from ecg.labels import BeatLabels
from ecg.leads import choose_leads
from ecg.records import Record
from reports.formats import to_pdf, to_png, to_svg
from reports.paper import draw_strip
from reports.record import make_report
from reports.record_html import to_html
from reports.record_pdf import to_pdf_report
from reports.record_strips import Findings, strip_of
from reports.recording import findings_in
from web.past.strips import rows_of
from web.scoring.answers import RecordingStrip
from web.scoring.jobs import Desk
from web.scoring.kept import (
    RESULT,
    SAMPLES,
    STORED_VERDICTS,
    VERDICTS,
    map_samples,
    read_header,
    read_questionnaire,
)
from web.scoring.questionnaire import Questionnaire

ReportForm = Literal["html", "pdf"]
DrawnForm = Literal["png", "pdf", "svg"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A recording read back."""

    record: Record
    found: Findings
    questionnaire: Questionnaire | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeReport:
    """Write the report on a recording, unless it is there."""

    folder: Path
    form: ReportForm

    def do(self, desk: Desk) -> Path:
        """The report's file."""
        kept = read_kept(self.folder)
        answers = () if kept.questionnaire is None else kept.questionnaire.rows()
        # Its name changes with what is told, so that no report shows what was taken back.
        path = self.folder / f"report-{hashlib.sha256(repr(answers).encode()).hexdigest()[:16]}.{self.form}"
        if path.is_file():
            return path
        report = make_report(kept.record, kept.found, desk.explainer, answers=answers)
        draft = self.folder / f"{token_hex(8)}.new"
        draft.write_bytes(to_html(report).encode() if self.form == "html" else to_pdf_report(report))
        for old in self.folder.glob(f"report-*.{self.form}"):
            old.unlink()
        return draft.replace(path)


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawStrip:
    """Draw a stretch of a recording on ECG paper.

    Attributes
    ----------
    at_s, seconds : the stretch, s from the recording's start
    """

    folder: Path
    at_s: float
    seconds: float
    form: DrawnForm

    def do(self, desk: Desk) -> bytes:
        """The drawing."""
        del desk
        kept = read_kept(self.folder)
        figure = draw_strip(strip_of(kept.record, kept.found, self.at_s, self.seconds))
        if self.form == "svg":
            return to_svg(figure).encode()
        return to_png(figure) if self.form == "png" else to_pdf(figure)


def strip_samples(folder: Path, *, at_s: float, seconds: float) -> RecordingStrip:
    """A stretch of a recording as numbers: little enough to be read on the way.

    Parameters
    ----------
    at_s, seconds : the stretch, s from the recording's start; what lies beyond its end is left out
    """
    header = read_header(folder)
    samples = map_samples(folder)
    columns = choose_leads(header.leads)
    first = min(round(at_s * header.fs_hz), len(samples))
    piece = samples[first : first + round(seconds * header.fs_hz), columns]
    return RecordingStrip(
        start_s=first / header.fs_hz,
        fs_hz=header.fs_hz,
        leads=[header.leads[column] for column in columns],
        gain=[header.gain[column] for column in columns],
        baseline=[header.baseline[column] for column in columns],
        samples=rows_of(piece),
    )


def read_kept(folder: Path) -> Kept:
    """All of it."""
    header = read_header(folder)
    record = Record(
        name=header.name,
        fs_hz=header.fs_hz,
        leads=header.leads,
        samples=np.load(folder / SAMPLES, allow_pickle=False),
        gain=header.gain,
        baseline=header.baseline,
    )
    reference = None
    if header.annotated is not None:
        reference = BeatLabels(
            sample=np.array([at for at, _ in header.annotated], np.int64),
            aami=np.array([letter for _, letter in header.annotated], np.str_),
        )
    verdicts = tuple(STORED_VERDICTS.validate_json((folder / VERDICTS).read_bytes()))
    found = findings_in(json.loads((folder / RESULT).read_bytes()), verdicts, reference)
    return Kept(record=record, found=found, questionnaire=read_questionnaire(folder))
