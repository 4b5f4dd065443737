"""Reports and strips of recordings that are kept.

What draws loads matplotlib, for a second: only the process that draws does.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Literal

from ecg.leads import choose_leads
from web.past.strips import rows_of
from web.scoring.answers import RecordingStrip
from web.scoring.jobs import Desk
from web.scoring.kept import (
    map_samples,
    read_header,
)

ReportForm = Literal["html", "pdf"]
DrawnForm = Literal["png", "pdf", "svg"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeReport:
    """Write the report on a recording, unless it is there."""

    folder: Path
    form: ReportForm

    def do(self, desk: Desk) -> Path:
        """The report's file."""
        from reports.record import make_report  # noqa: PLC0415 # see the module
        from reports.record_html import to_html  # noqa: PLC0415
        from reports.record_pdf import to_pdf_report  # noqa: PLC0415
        from web.scoring.read_back import read_kept  # noqa: PLC0415

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
        from reports.formats import to_pdf, to_png, to_svg  # noqa: PLC0415 # see the module
        from reports.paper import draw_strip  # noqa: PLC0415
        from reports.record_strips import strip_of  # noqa: PLC0415
        from web.scoring.read_back import read_kept  # noqa: PLC0415

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
