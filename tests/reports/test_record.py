import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from bus.messages import Verdict
from detector.explain import Explainer
from detector.scorer import Scorer
from ecg.labels import BeatLabels
from ecg.records import MISSING, Record
from ecg.wfdb_files import toy_record
from models import SHIPPED
from reports.episodes import MAX_OF_EPISODE, MAX_STRIPS, ReportFinding, choose, episodes
from reports.record import RecordReport, make_report, what_is_left_out
from reports.record_html import to_html
from reports.record_pdf import to_pdf_report
from reports.record_strips import Findings, peaks
from tests.support.verdicts import verdicts_of

HOSTILE = '<script>alert("x")</script>&$a_b$'


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    return Scorer(SHIPPED)


@pytest.fixture(scope="module")
def explainer() -> Explainer:
    return Explainer(SHIPPED)


@pytest.fixture(scope="module")
def excerpt() -> Record:
    """Forty seconds of record 208."""
    whole = toy_record()
    return replace(whole, samples=whole.samples[: 40 * 360])


@pytest.fixture(scope="module")
def verdicts(excerpt: Record, scorer: Scorer) -> list[Verdict]:
    return verdicts_of(excerpt, scorer)


@pytest.fixture(scope="module")
def report(excerpt: Record, verdicts: list[Verdict], explainer: Explainer) -> RecordReport:
    found = (
        ReportFinding(start_s=11.0, end_s=12.5, kind="ventricular_run", priority="medium"),
        ReportFinding(start_s=5.0, end_s=40.0, kind="abnormal_window", priority="medium"),
    )
    reference = BeatLabels(sample=np.array([360, 4000]), aami=np.array(["N", "V"]))
    return make_report(excerpt, Findings(verdicts=tuple(verdicts), findings=found, reference=reference), explainer)


def report_of(record: Record, scorer: Scorer, explainer: Explainer) -> RecordReport:
    return make_report(
        record, Findings(verdicts=tuple(verdicts_of(record, scorer, patient="p")), findings=()), explainer
    )


def long_stretch(verdict: Verdict, decisions: Sequence[str]) -> list[Verdict]:
    """Verdicts one after the other, with these decisions."""
    return [
        verdict.model_copy(
            update={
                "window": number,
                "start_ns": verdict.stream_start_ns + number * 5_000_000_000,
                "end_ns": verdict.stream_start_ns + (number + 1) * 5_000_000_000,
                "decision": decision,
                "fused": 0.9 if decision == "abnormal" else 0.1,
            }
        )
        for number, decision in enumerate(decisions)
    ]


def test_page_is_self_contained(report: RecordReport) -> None:
    page = to_html(report)
    assert "<script" not in page
    assert "<link" not in page
    assert not re.findall(r'(?:src|action|data)="', page)
    assert not [target for target in re.findall(r'href="([^"]*)"', page) if not target.startswith("#")]
    assert not re.findall(r"url\((?!#)", page)
    assert "@import" not in page
    assert page.count("<svg") == 1 + len(report.strips)


def test_page_tells_what_it_must(report: RecordReport) -> None:
    page = to_html(report)
    for text in ("Not a medical device", "208-excerpt", "360 Hz", "MLII", "ventricular run", "cnn-", "Beats annotated"):
        assert text in page
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))


def test_most_urgent_comes_first(report: RecordReport) -> None:
    assert "ventricular run (medium priority)" in report.strips[0].title
    assert report.strips[0].strip.start_s == 10.0
    assert report.strips[0].strip.seconds == 10.0


def test_strip_holds_beats_verdicts_reasons_and_what_they_rest_on(report: RecordReport) -> None:
    shown = report.strips[0]
    assert [window.decision for window in shown.strip.windows] == [line.decision for line in shown.lines]
    assert [beat.beat_class for beat in shown.strip.reference or ()] == ["V"]
    assert len(shown.strip.beats) > 10
    assert any("ventricular beat" in line.reasons for line in shown.lines)
    drawn = {evidence.start_s for evidence in shown.strip.evidence}
    for window, line in zip(shown.strip.windows, shown.lines, strict=True):
        assert (window.start_s in drawn) == ("log odds fall" in line.rests_on)


def test_what_is_left_out_is_counted() -> None:
    verdict = verdicts_of(toy_record(), Scorer(SHIPPED))[0]
    found = episodes(long_stretch(verdict, ["abnormal", "normal", "normal"] * 40), ())
    assert len(found) == 40
    chosen = choose(found)
    assert len(chosen) == MAX_STRIPS
    one_long = choose(episodes(long_stretch(verdict, ["abnormal"] * 400), ()))
    assert len(one_long) == MAX_OF_EPISODE


def test_one_ordinary_window_does_not_end_an_episode(verdicts: list[Verdict]) -> None:
    decisions = ["abnormal", "normal", "abnormal", "normal", "normal", "unusable"]
    found = episodes(long_stretch(verdicts[0], decisions), ())
    assert [[window.verdict.window for window in episode.windows] for episode in found] == [[0, 2], [5]]


def test_finding_makes_a_normal_window_notable_and_urgent(verdicts: list[Verdict]) -> None:
    finding = ReportFinding(start_s=21.0, end_s=26.0, kind="asystole", priority="high")
    found = episodes(long_stretch(verdicts[0], ["abnormal", *["normal"] * 9]), [finding])
    assert [(episode.start_s, episode.end_s) for episode in found] == [(0, 5), (20, 30)]
    assert [notable.start_s for _, notable in choose(found)] == [20, 0]


def test_part_of_a_recording(excerpt: Record, verdicts: list[Verdict], explainer: Explainer) -> None:
    found = Findings(verdicts=tuple(verdicts), findings=())
    part = make_report(excerpt, found, explainer, start_s=20.0, end_s=30.0)
    assert not part.whole
    assert [verdict.window for verdict in part.found.verdicts] == [4, 5]
    assert all(shown.strip.start_s >= 15.0 for shown in part.strips)


def test_shorter_than_a_window(excerpt: Record, scorer: Scorer, explainer: Explainer) -> None:
    report = report_of(replace(excerpt, samples=excerpt.samples[:700]), scorer, explainer)
    assert "not judged" in report.strips[0].title
    assert "Shorter than one window" in to_html(report)
    assert to_pdf_report(report).startswith(b"%PDF")


def test_recording_without_signal(excerpt: Record, scorer: Scorer, explainer: Explainer) -> None:
    report = report_of(replace(excerpt, samples=np.full_like(excerpt.samples, MISSING)[:7200]), scorer, explainer)
    assert "unusable" in to_html(report) or not report.found.verdicts
    assert ("Samples missing", "100.0%") in report.facts


def test_hostile_names_stay_text(excerpt: Record, scorer: Scorer, explainer: Explainer) -> None:
    record = replace(excerpt, name=HOSTILE, leads=(HOSTILE,), samples=excerpt.samples[:7200])
    report = report_of(record, scorer, explainer)
    page = to_html(report)
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert to_pdf_report(report).startswith(b"%PDF")


def test_what_is_not_drawn_is_said(report: RecordReport) -> None:
    assert what_is_left_out(replace(report, notable=3, drawn=3)) == ""
    assert what_is_left_out(replace(report, notable=9, drawn=3)).startswith("3 of 9 windows")


def test_pdf_has_a_page_of_facts_and_pages_of_strips(report: RecordReport) -> None:
    content = to_pdf_report(report)
    assert len(re.findall(rb"/Type /Page\b", content)) >= 2
    assert b"/MediaBox [ 0 0 841.8897637795" in content  # A4, landscape, in points


def test_peaks_are_hills_of_their_own_the_highest_first() -> None:
    fall = np.array([0.0, 1.0, 0.9, 0.1, 0.6, 0.0, 2.0, 1.9, 0.0, 0.4])
    assert peaks(fall) == [6, 1]
    assert peaks(np.array([3.0, 0, 3, 0, 3, 0, 3])) == [0, 2, 4]


def test_what_was_told_of_the_patient_stands_in_the_report(report: RecordReport) -> None:
    answers = (("Age", "61 years"), ("Symptoms", f"palpitations\n{HOSTILE}\n" + "long " * 400))
    with_answers = replace(report, answers=answers)
    page = to_html(with_answers)
    assert "Details of the patient" in page
    assert "61 years" in page
    assert "<script" not in page
    assert "Details of the patient" not in to_html(report)
    pages = len(re.findall(rb"/Type /Page\b", to_pdf_report(report)))
    assert len(re.findall(rb"/Type /Page\b", to_pdf_report(with_answers))) == pages + 1
