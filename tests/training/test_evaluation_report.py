import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from ecg.errors import EcgStreamError
from tests.training.judged import ANNOTATIONS, THRESHOLDS, VERDICTS, annotations, verdict
from training.evaluate import evaluate_tallies
from training.evaluation_report import report, worst_first, write_report
from training.tally import Tally, tally_records

RIGHT = [verdict(0, 0.1), verdict(1, 0.9)]
TALLIES = tally_records(
    {"good": RIGHT, "<bad>": VERDICTS}, {"good": annotations((6, "V")), "<bad>": ANNOTATIONS}, alerts={}
)
EVALUATION = evaluate_tallies(TALLIES, thresholds=THRESHOLDS)


class _Balance(HTMLParser):
    """Raises when a tag is closed that is not open."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 # the base's names
        if tag not in {"meta", "path", "use", "br"}:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        if tag not in {"path", "use"}:
            assert self.open.pop() == tag


def test_the_page_is_whole_and_needs_nothing_else() -> None:
    page = report(TALLIES, EVALUATION, disturbed={"rate-128": EVALUATION, "second-lead": None})
    balance = _Balance()
    balance.feed(page)
    assert balance.open == []
    assert page.count("<svg") == 3
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert not re.search(r'(src|href)="(?!#)', page)
    assert "second-lead</td><td>0</td>" in page
    assert "nan" not in page.lower().split("</style>")[1].replace("dominant", "")


def test_names_are_text_and_the_worst_record_comes_first() -> None:
    assert worst_first(EVALUATION) == ["<bad>", "good"]
    page = report(TALLIES, EVALUATION)
    assert "<bad>" not in page
    assert page.index("<td>&lt;bad&gt;") < page.index("<td>good")


def test_the_confusion_of_beats_is_shown() -> None:
    page = report(TALLIES, EVALUATION)
    row = page[page.index("<tr><td>N</td>") :]
    cells = re.findall(r"<td[^>]*>([^<]*)</td>", row[: row.index("</tr>")])
    assert cells == ["N", "2", "1", "", "", "", "", ""]


def test_a_record_without_windows_is_a_page_too() -> None:
    nothing = {"1": Tally(hours=1.0)}
    page = report(nothing, evaluate_tallies(nothing, thresholds=THRESHOLDS))
    assert "<td>1 " in page


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    write_report(tmp_path / "page.html", TALLIES, EVALUATION)
    assert (tmp_path / "page.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    with pytest.raises(EcgStreamError, match="name another file"):
        write_report(tmp_path / "no" / "page.html", TALLIES, EVALUATION)
