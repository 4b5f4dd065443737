import io
import re
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from matplotlib.image import imread

from ecg.errors import EcgStreamError
from reports.formats import to_pdf, to_png, to_svg
from reports.lanes import MARKS, finding_lanes
from reports.lettering import clock, printable
from reports.paper import draw_strip, size_mm
from reports.strip import Strip, StripBeat, StripEvidence, StripFinding, StripWindow
from tests.reports.strips import FS_HZ, strip_of, wave_mv

PT_PER_MM = 72 / 25.4
SVG = "{http://www.w3.org/2000/svg}"


def points_of(figure: Figure, name: str) -> np.ndarray:
    """The points of an artist in the print, mm from the lower left corner."""
    axes = figure.axes[0]
    outlines = [(line.get_gid(), line.get_path()) for line in axes.lines]
    outlines += [(patch.get_gid(), patch.get_path()) for patch in axes.patches]
    for gid, outline in outlines:
        if gid == name:
            points = outline.vertices
            return np.asarray(axes.transData.transform(points)) / figure.dpi * 25.4
    raise AssertionError(name)


def full_strip() -> Strip:
    weight = np.zeros((25, 2))
    weight[8] = 1, 0.4
    return strip_of(
        beats=tuple(StripBeat(t_s=61.0 + n, beat_class=letter) for n, letter in enumerate(MARKS)),
        reference=(StripBeat(t_s=61.0, beat_class="N"),),
        windows=(
            StripWindow(start_s=60, end_s=65, decision="abnormal", score=0.97),
            StripWindow(start_s=65, end_s=70, decision="unusable", score=None),
        ),
        findings=(StripFinding(start_s=62, end_s=64, text="ventricular couplet"),),
        evidence=(StripEvidence(start_s=60.0, part_s=0.2, weight=weight),),
    )


@pytest.mark.parametrize("strip", [strip_of(), full_strip(), strip_of(3.0, names=("MLII",))])
def test_scale_is_exact(strip: Strip) -> None:
    figure = draw_strip(strip)
    pulse = points_of(figure, "pulse0")
    assert np.ptp(pulse[:, 1]) == pytest.approx(10.0, abs=1e-6)  # 1 mV
    assert pulse[3, 0] - pulse[2, 0] == pytest.approx(5.0, abs=1e-6)  # 0.2 s
    trace = points_of(figure, "trace0")
    assert trace[round(FS_HZ), 0] - trace[0, 0] == pytest.approx(25.0, abs=1e-6)  # 1 s
    assert np.ptp(trace[:, 1]) == pytest.approx(20.0, abs=1e-3)  # -1 to 1 mV


@pytest.mark.parametrize(("name", "step_mm"), [("grid1", 1.0), ("grid5", 5.0)])
def test_grid_is_exact(name: str, step_mm: float) -> None:
    points = points_of(draw_strip(full_strip()), name)
    upright = points[points[:, 0] == np.roll(points[:, 0], 1)]
    assert np.diff(np.unique(upright[:, 0].round(6))) == pytest.approx(step_mm, abs=1e-5)
    assert np.diff(np.unique(points[:, 1].round(6))).min() == pytest.approx(step_mm, abs=1e-5)


def test_zero_line_and_seconds_lie_on_the_heavy_grid() -> None:
    figure = draw_strip(full_strip())
    grid, pulse, trace = (points_of(figure, name) for name in ("grid5", "pulse1", "trace1"))
    assert np.abs(grid[:, 1] - pulse[0, 1]).min() == pytest.approx(0, abs=1e-6)
    assert np.abs(grid[:, 0] - trace[0, 0]).min() == pytest.approx(0, abs=1e-6)


def test_svg_says_its_size_in_millimetres() -> None:
    strip = full_strip()
    root = ET.fromstring(to_svg(draw_strip(strip)))  # noqa: S314 # written a moment ago
    width_mm, height_mm = size_mm(strip)
    assert root.attrib["width"] == f"{width_mm:.3f}mm"
    box = [float(number) for number in root.attrib["viewBox"].split()]
    assert box[2:] == pytest.approx([width_mm * PT_PER_MM, height_mm * PT_PER_MM], abs=0.01)
    pulse = next(
        group for group in root.iter(f"{SVG}path") if _height(group) == pytest.approx(10 * PT_PER_MM, abs=0.01)
    )
    assert pulse is not None


def _height(path: ET.Element) -> float:
    numbers = [float(number) for number in re.findall(r"-?\d+\.?\d*", path.attrib["d"])]
    return max(numbers[1::2]) - min(numbers[1::2]) if len(numbers) == 12 else 0.0


def test_png_and_pdf_have_the_strips_size() -> None:
    strip = strip_of()
    width_mm, height_mm = size_mm(strip)
    figure = draw_strip(strip)
    pixels = imread(io.BytesIO(to_png(figure, dpi=100)))
    assert pixels.shape[:2] == pytest.approx((height_mm / 25.4 * 100, width_mm / 25.4 * 100), abs=1)
    box = re.search(rb"/MediaBox \[ ?([\d. ]+?) ?\]", to_pdf(figure))
    assert box
    assert float(box[1].split()[2]) == pytest.approx(width_mm * PT_PER_MM, abs=0.01)


def test_gap_is_not_bridged() -> None:
    samples_mv = wave_mv(10.0)
    samples_mv[500:900, 0] = np.nan
    strip = strip_of(samples_mv=samples_mv)
    assert np.isnan(points_of(draw_strip(strip), "trace0")[500:900, 1]).all()
    texts = [text.get_text() for text in draw_strip(strip).axes[0].texts]
    assert texts.count("no signal") == 1


def test_lead_without_any_signal_is_drawn_as_such() -> None:
    samples_mv = wave_mv(5.0)
    samples_mv[:, 1] = np.nan
    texts = [text.get_text() for text in draw_strip(strip_of(samples_mv=samples_mv)).axes[0].texts]
    assert {"II", "V1", "no signal"} <= set(texts)


def test_what_leaves_the_paper_is_said_and_its_row_stays_bounded() -> None:
    samples_mv = wave_mv(5.0, 1)
    samples_mv[300] = 400.0
    strip = strip_of(samples_mv=samples_mv, names=("II",))
    assert size_mm(strip)[1] < 90
    assert "the trace leaves the paper" in [text.get_text() for text in draw_strip(strip).axes[0].texts]


def test_offset_of_the_electrode_does_not_move_the_trace() -> None:
    one, other = (points_of(draw_strip(strip_of(samples_mv=wave_mv(5.0) + offset)), "trace0") for offset in (0, 30))
    assert one == pytest.approx(other, abs=1e-2)


def test_every_class_has_its_own_letter_and_shape() -> None:
    for of in ("letter", "shape"):
        assert len({getattr(mark, of) for mark in MARKS.values()}) == len(MARKS)
    texts = [text.get_text() for text in draw_strip(full_strip()).axes[0].texts]
    assert {mark.letter for mark in MARKS.values()} <= set(texts)
    assert "abnormal 0.97" in texts


def test_evidence_stands_where_it_was_found() -> None:
    axes = draw_strip(full_strip()).axes[0]
    outlines = [np.asarray(collection.get_paths()[0].vertices) for collection in axes.collections]
    hill = next(points for points in outlines if len(points) > 100)
    assert hill[hill[:, 1].argmax(), 0] == pytest.approx(15 + 25 * 1.7, abs=0.7)


def test_findings_do_not_lie_over_each_other() -> None:
    findings = tuple(StripFinding(start_s=61, end_s=68, text=f"rhythm {n}") for n in range(5))
    apart = (StripFinding(start_s=61, end_s=62, text="a"), StripFinding(start_s=66, end_s=67, text="b"))
    assert [len(lane) for lane in finding_lanes(strip_of(findings=findings))] == [1, 1, 1]
    assert [len(lane) for lane in finding_lanes(strip_of(findings=apart))] == [2]


def test_figures_on_one_page_share_no_id_and_each_is_the_same_every_time() -> None:
    one, again, other = (to_svg(draw_strip(full_strip()), prefix=prefix) for prefix in ("a", "a", "b"))
    assert one == again
    assert not set(re.findall(r'\bid="([^"]+)"', one)) & set(re.findall(r'\bid="([^"]+)"', other))
    ids = re.findall(r'\bid="([^"]+)"', one)
    assert len(ids) == len(set(ids))
    assert {used.lstrip("#") for used in re.findall(r'href="([^"]+)"', one)} <= set(ids)


def test_strips_drawn_side_by_side_are_those_drawn_alone() -> None:
    strips = [strip_of(2.0, start_s=float(n)) for n in range(4)]
    alone = [to_svg(draw_strip(strip)) for strip in strips]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda strip: to_svg(draw_strip(strip)), strips)) == alone


def test_hostile_names_are_drawn_and_escaped() -> None:
    text = to_svg(draw_strip(strip_of(2.0, names=("<script>alert(1)</script>", "$\\frac{x}$\n\x00心"))))
    assert "<script" not in text
    ET.fromstring(text)  # noqa: S314 # written a moment ago
    assert printable("a\n\x00心b") == "a???b"
    assert len(printable("x" * 500)) == 120


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"samples_mv": np.zeros((0, 2), np.float32)}, "at least one sample"),
        ({"samples_mv": np.zeros((10, 3), np.float32)}, "2 leads"),
        ({"seconds": 61.0}, "above 60 s"),
        ({"evidence": (StripEvidence(start_s=0, part_s=0.2, weight=np.zeros((25, 1))),)}, "evidence"),
    ],
)
def test_what_cannot_be_drawn_is_refused(fields: dict[str, object], complaint: str) -> None:
    with pytest.raises(EcgStreamError, match=complaint):
        strip_of(**fields)  # type: ignore[arg-type] # what a caller gets wrong


@given(st.integers(0, 10**7))
def test_clock_tells_every_tenth(tenths: int) -> None:
    hours, minutes, seconds = clock(tenths / 10).split(":")
    assert round((int(hours) * 3600 + int(minutes) * 60 + float(seconds)) * 10) == tenths
