"""The command that measures the models, on small records of any kind."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import wfdb

from alerting.rules import load_rules
from detector.manifest import load_manifest
from detector.settings import DetectorSettings
from ecg.errors import EcgStreamError
from ecgstream.disturbed import chosen, evaluate_disturbed
from ecgstream.evaluation import Judging, annotated_records, judge_offline
from tests.ecgstream.commands import start
from tests.training.recordings import write_record
from training.evaluate import evaluate

BEATS_S = np.arange(74, dtype=np.float64) * 0.8 + 0.5
SYMBOLS = ["N", "N", "N", "V"] * 18 + ["N", "N"]


def _evaluate(*arguments: str, directory: Path) -> dict[str, Any]:
    with start("evaluate", "--data", ".", "--json", "-", *arguments, directory=directory) as process:
        out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    found: dict[str, Any] = json.loads(out)
    return found


def _write_other(directory: Path, *, fs_hz: int, leads: tuple[str, ...]) -> None:
    """A record of another recorder: its rate, its leads, and beats alone by another annotator."""
    time_s = np.arange(40 * fs_hz) / fs_hz
    beats_s = BEATS_S[BEATS_S < 39]
    lead = 0.02 * np.random.default_rng(0).standard_normal(len(time_s))
    for beat in beats_s:
        lead += np.exp(-(((time_s - beat) / 0.02) ** 2)) + 0.2 * np.exp(-(((time_s - beat - 0.25) / 0.06) ** 2))
    wfdb.wrsamp(
        "other",
        fs=fs_hz,
        units=["mV"] * len(leads),
        sig_name=list(leads),
        p_signal=np.stack([lead * (1 + 0.1 * number) for number in range(len(leads))], axis=1),
        fmt=["16"] * len(leads),
        adc_gain=[1000.0] * len(leads),
        baseline=[0] * len(leads),
        write_dir=str(directory),
    )
    positions = np.round(beats_s * fs_hz).astype(np.int64)
    wfdb.wrann("other", "qrs", positions, symbol=["N"] * len(positions), fs=fs_hz, write_dir=str(directory))


@pytest.mark.parametrize(
    ("fs_hz", "leads"),
    [
        (100, ("ECG",)),
        (128, ("ECG1", "ECG2")),
        (257, ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")),
        (1000, ("II", "V5")),
    ],
)
def test_rates_leads_and_annotators_of_other_databases(fs_hz: int, leads: tuple[str, ...], tmp_path: Path) -> None:
    _write_other(tmp_path, fs_hz=fs_hz, leads=leads)
    annotations, _ = annotated_records("all", tmp_path, annotator="qrs")
    judging = _judging(tmp_path)
    judged = judge_offline(tuple(annotations), judging, done=lambda _: None)
    report = evaluate(judged.verdicts, annotations, thresholds=load_manifest(judging.settings.models).thresholds)
    record = report.per_record["other"]
    assert (record.beats_annotated, record.rhythms_annotated) == (True, False)
    assert record.beats.qrs.se is not None
    assert record.beats.qrs.ppv is not None
    assert min(record.beats.qrs.se, record.beats.qrs.ppv) > 0.95
    assert (record.windows.n, record.windows.abnormal_fraction) == (8, 0)
    assert record.windows.fused.auroc is None  # there is nothing to tell apart


def _judging(directory: Path) -> Judging:
    return Judging(folder=directory, settings=DetectorSettings(_env_file=None), rules=load_rules())


def test_the_command_writes_json_and_a_page(tmp_path: Path) -> None:
    write_record(tmp_path, "101", beat_s=BEATS_S, symbols=SYMBOLS)
    page = tmp_path / "page.html"
    report = _evaluate("--records", "101", "--disturb", "rate-128", "--html", str(page), directory=tmp_path)
    disturbed = report["disturbed"]["rate-128"]
    assert disturbed["left_out"] == {}
    assert disturbed["figures"]["windows"]["n"] == report["windows"]["n"] == 12
    assert set(disturbed["figures"]["beats"]) == set(report["beats"])
    assert disturbed["figures"]["beats"]["qrs"]["se"] > 0.95
    assert "rate-128" in page.read_text(encoding="utf-8")


def test_a_disturbance_that_does_not_fit_a_record_says_so(tmp_path: Path) -> None:
    _write_other(tmp_path, fs_hz=250, leads=("ECG",))
    annotations, _ = annotated_records("other", tmp_path, annotator="qrs")
    judging = _judging(tmp_path)
    (found,) = evaluate_disturbed(
        ("second-lead",),
        annotations,
        judging,
        thresholds=load_manifest(judging.settings.models).thresholds,
        noise=tmp_path,
        done=lambda _: None,
    )
    assert found.evaluation is None
    assert "no lead 2" in found.left_out["other"]


def test_what_of_all_cannot_be_evaluated_is_left_out_and_named(tmp_path: Path) -> None:
    write_record(tmp_path, "101", beat_s=BEATS_S, symbols=SYMBOLS)
    write_record(tmp_path, "106", beat_s=BEATS_S, symbols=SYMBOLS)
    write_record(tmp_path, "108", beat_s=BEATS_S, symbols=SYMBOLS)
    (tmp_path / "106.atr").unlink()
    (tmp_path / "108.dat").unlink()
    annotations, left_out = annotated_records("all", tmp_path)
    assert set(annotations) == {"101"}
    assert "106.atr" in left_out["106"]
    assert "108.dat" in left_out["108"]
    with pytest.raises(EcgStreamError, match=r"106\.atr"):
        annotated_records("101,106", tmp_path)
    with pytest.raises(EcgStreamError, match="no record"):
        annotated_records("all", tmp_path, annotator="nobody")


def test_every_disturbance_needs_every_noise(tmp_path: Path) -> None:
    with pytest.raises(EcgStreamError, match="ecgstream data fetch"):
        chosen("all", tmp_path)
    assert chosen("rate-128,swapped", tmp_path) == ("rate-128", "swapped")
    with pytest.raises(EcgStreamError, match="'em' is none of"):
        chosen("em", tmp_path)
