"""A report on a recording as PDF pages, A4 landscape, true to scale."""

import io
import textwrap
from collections.abc import Iterator

from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure

from reports.episodes import ReportFinding
from reports.lettering import FONT, INK, PALE, clock, printable
from reports.overview import HEIGHT_MM, place_overview
from reports.paper import place_strip, size_mm
from reports.record import RecordReport, what_is_left_out
from reports.record_html import most_urgent, named
from reports.record_strips import ShownStrip, WindowLine
from reports.scale import MM_PER_INCH

PAGE_MM = (297.0, 210.0)
MARGIN_MM = 14.0
LINE_MM = 4.2
TEXT_PT = 8.0
LETTERS = 168  # of that size in a line
TITLE_MM = 6.0
GAP_MM = 5.0
MAX_FINDINGS = 12  # rows left on the first page
MAX_LINES = 12  # lines of one answer: all of them fill a page; the HTML report has the rest


def to_pdf_report(report: RecordReport) -> bytes:
    """The report as a PDF: a page of facts, then the strips, as many on a page as go."""
    buffer = io.BytesIO()
    with PdfPages(buffer, metadata={"Title": f"ECG report: {printable(report.name)}", "CreationDate": None}) as pages:
        for number, page in enumerate(_pages(report), start=1):
            _text(page, PAGE_MM[1] - 6, f"Not a medical device.   ·   {report.name}   ·   page {number}", colour=PALE)
            pages.savefig(page)
    return buffer.getvalue()


def _pages(report: RecordReport) -> Iterator[Figure]:
    yield _first_page(report)
    if report.answers:
        yield _answers_page(report)
    page, top_mm = _page(), MARGIN_MM
    for number, shown in enumerate(report.strips, start=1):
        lines = [line for window in shown.lines for line in _wrapped(window)]
        height_mm = TITLE_MM + size_mm(shown.strip)[1] + 1 + LINE_MM * len(lines)
        if top_mm > MARGIN_MM and top_mm + height_mm > PAGE_MM[1] - MARGIN_MM:
            yield page
            page, top_mm = _page(), MARGIN_MM
        _place(page, shown, number, lines, top_mm)
        top_mm += height_mm + GAP_MM
    yield page


def _page() -> Figure:
    return Figure(figsize=(PAGE_MM[0] / MM_PER_INCH, PAGE_MM[1] / MM_PER_INCH))


def _text(
    page: Figure,
    top_mm: float,
    text: str,
    *,
    left_mm: float = MARGIN_MM,
    size_pt: float = TEXT_PT,
    colour: str = INK,
    bold: bool = False,
) -> None:
    page.text(
        left_mm / PAGE_MM[0],
        1 - top_mm / PAGE_MM[1],
        printable(text, 240),
        fontsize=size_pt,
        color=colour,
        family=FONT,
        weight="bold" if bold else "normal",
        va="top",
        parse_math=False,
    )


def _first_page(report: RecordReport) -> Figure:
    page = _page()
    _text(page, MARGIN_MM, f"ECG report: {printable(report.name, 60)}", size_pt=16, bold=True)
    _text(page, MARGIN_MM + 9, "Not a medical device. Found by a program; nobody has checked it.", colour="#7a2f00")
    top_mm = MARGIN_MM + 17
    span = () if report.whole else (("Reported on", f"{clock(report.start_s)} to {clock(report.end_s)}"),)
    for label, value in (*report.facts, *span, *report.summary):
        _text(page, top_mm, label, bold=True)
        for line in textwrap.wrap(value, LETTERS - 24) or [""]:
            _text(page, top_mm, line, left_mm=MARGIN_MM + 36)
            top_mm += LINE_MM
    if report.found.verdicts:
        place_overview(
            page,
            report.found.verdicts,
            report.found.findings,
            start_s=report.start_s,
            end_s=report.end_s,
            left_mm=MARGIN_MM,
            bottom_mm=PAGE_MM[1] - top_mm - HEIGHT_MM - 2,
        )
        top_mm += HEIGHT_MM + 4
    room = int((PAGE_MM[1] - MARGIN_MM - top_mm) / LINE_MM) - 3
    urgent = most_urgent(report.found.findings, min(MAX_FINDINGS, max(0, room)))
    if urgent:
        _text(page, top_mm, "The most urgent findings", bold=True)
        top_mm += LINE_MM
    for found in urgent:
        _text(page, top_mm, f"{clock(found.start_s)} to {clock(found.end_s)}")
        _text(page, top_mm, found.priority, left_mm=MARGIN_MM + 36)
        _text(page, top_mm, _with_lead(found), left_mm=MARGIN_MM + 54)
        top_mm += LINE_MM
    rest = len(report.found.findings) - len(urgent)
    notes = [f"{rest} findings more." if rest else "", what_is_left_out(report)]
    _text(page, top_mm, " ".join(note for note in notes if note), colour=PALE)
    return page


def _with_lead(found: ReportFinding) -> str:
    rate = "" if found.rate_bpm is None else f", {found.rate_bpm:.0f}/min"
    return f"{named(found)}{rate}" + ("" if found.lead is None else f", on {found.lead}")


def _answers_page(report: RecordReport) -> Figure:
    page, top_mm = _page(), MARGIN_MM
    _text(page, top_mm, "Details of the patient (as somebody wrote it; nothing of it was used to judge)", bold=True)
    top_mm += 2 * LINE_MM
    for label, value in report.answers:
        lines = [line for part in value.splitlines() for line in textwrap.wrap(part, LETTERS - 24)] or [""]
        shown = lines[:MAX_LINES] if len(lines) <= MAX_LINES else [*lines[: MAX_LINES - 1], "… the HTML report has all"]
        _text(page, top_mm, label, bold=True)
        for line in shown:
            _text(page, top_mm, line, left_mm=MARGIN_MM + 36)
            top_mm += LINE_MM
    return page


def _wrapped(window: WindowLine) -> list[str]:
    text = f"{window.time}   {window.lead}   {window.decision}   {window.scores}   {window.reasons}"
    if window.rests_on:
        text += f"   Rests most on: {window.rests_on}."
    return textwrap.wrap(text, LETTERS, subsequent_indent="    ", drop_whitespace=True)


def _place(page: Figure, shown: ShownStrip, number: int, lines: list[str], top_mm: float) -> None:
    _text(page, top_mm, printable(f"{number}. {shown.title}", LETTERS - 18), bold=True)
    height_mm = size_mm(shown.strip)[1]
    place_strip(page, shown.strip, left_mm=MARGIN_MM, bottom_mm=PAGE_MM[1] - top_mm - TITLE_MM - height_mm)
    top_mm += TITLE_MM + height_mm + 1
    for line in lines:
        _text(page, top_mm, line)
        top_mm += LINE_MM
