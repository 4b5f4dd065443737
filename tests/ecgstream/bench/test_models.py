"""The networks against each other: what is reported, not how fast this machine is."""

import io
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from alerting.rules import load_rules
from detector.settings import DetectorSettings
from ecgstream.bench.models import BATCHES, ModelBenchPlan, as_table, bench_networks
from ecgstream.evaluation import Judging
from tests.training.recordings import write_record


def test_every_network_in_every_form_is_timed_and_judged(tmp_path: Path) -> None:
    symbols = ["N", "N", "N", "V"] * 18
    write_record(tmp_path, "101", beat_s=np.arange(72, dtype=np.float64) * 0.8 + 0.5, symbols=symbols)
    judging = Judging(folder=tmp_path, settings=DetectorSettings(_env_file=None), rules=load_rules())
    plan = ModelBenchPlan(judging=judging, records="101", calibrate_on=("101",), rounds=1, keep=tmp_path / "kept")
    report_line: list[str] = []
    report = bench_networks(plan, report_line=report_line.append)
    variants = {"float32", "int8-QDQ", "int8-QOperator"}
    assert set(report["accuracy"]) == set(report["ratio_to_plain_cnn"]) == variants
    times = report["ms_per_window"]
    networks = ("cnn", "autoencoder", "both")
    assert set(times) == {"plain_cnn", *(f"{variant}/{name}" for variant in variants for name in networks)}
    for of in times.values():
        assert set(of) == {str(batch) for batch in BATCHES}
        assert min(of.values()) > 0
    for variant in variants:
        both = times[f"{variant}/both"]["8"]
        assert both == round(times[f"{variant}/cnn"]["8"] + times[f"{variant}/autoencoder"]["8"], 4)
        assert report["accuracy"][variant]["windows"]["n"] == 12
    assert (tmp_path / "kept" / "int8-QDQ" / "manifest.json").is_file()
    assert [line for line in report_line if line.startswith("judging")] == [
        f"judging records by {v}" for v in report["accuracy"]
    ]
    shown = io.StringIO()
    Console(file=shown, width=160).print(as_table(report))
    assert "int8-QOperator/both" in shown.getvalue()


def test_without_the_extra_the_networks_are_timed_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ecgstream.bench.models.find_spec", lambda name: None if name == "onnx" else object())
    write_record(tmp_path, "101", beat_s=np.arange(72, dtype=np.float64) * 0.8 + 0.5, symbols=["N"] * 72)
    judging = Judging(folder=tmp_path, settings=DetectorSettings(_env_file=None), rules=load_rules())
    report_line: list[str] = []
    report = bench_networks(ModelBenchPlan(judging=judging, records="101", rounds=1), report_line=report_line.append)
    assert set(report["accuracy"]) == {"float32"}
    assert report["ratio_to_plain_cnn"] is None
    assert report["ms_per_window"]["plain_cnn"] is None
    assert report["ms_per_window"]["float32/both"]["32"] > 0
    assert any("pip install" in line for line in report_line)
    Console(file=io.StringIO(), width=160).print(as_table(report))
