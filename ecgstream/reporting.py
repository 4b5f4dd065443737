"""Writing a report on a recording."""

from collections.abc import Callable
from pathlib import Path

from ecg.errors import EcgStreamError
from reports.record import RecordReport
from reports.record_html import to_html
from reports.record_pdf import to_pdf_report


def write_report(report: RecordReport, *, html: Path, pdf: Path | None) -> list[Path]:
    """Write a report to its files; their paths.

    Raises
    ------
    EcgStreamError : when a file cannot be written
    """
    written = []
    contents: list[tuple[str, Path | None, Callable[[RecordReport], bytes]]] = [
        ("--out", html, lambda made: to_html(made).encode()),
        ("--pdf", pdf, to_pdf_report),
    ]
    for option, path, content in contents:
        if path is None:
            continue
        try:
            path.write_bytes(content(report))
        except OSError as error:
            raise EcgStreamError(f"{option} {path} cannot be written: {error.strerror}: name another file") from error
        written.append(path)
    return written
