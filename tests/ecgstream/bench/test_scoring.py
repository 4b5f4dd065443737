"""Scoring timed: what it takes is not judged here; that it says what the stream says is."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ecg.wfdb_files import TOY_NAME, read_wfdb, toy_record
from ecgstream.bench.score_file import write_repeated
from tests.ecgstream.commands import status_of


def test_a_file_is_scored_as_the_stream_would_judge_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(["bench", "score", "--record", TOY_NAME, "--json", "-"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["record"], shown["windows"], shown["repeatable"]) == (TOY_NAME, 60, True)
    assert (shown["stream"]["windows"], shown["stream"]["missing"], shown["stream"]["different"]) == (60, 0, 0)
    assert shown["stream"]["largest_difference"] <= 1e-6
    assert shown["score_s"]["median"] > 0


def test_the_command_is_measured_on_a_file_of_any_length(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ecgstream.bench.score_file.ROUNDS", 1)
    assert status_of(["bench", "score", "--record", TOY_NAME, "--length", "12.5", "--json", "-"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["record"], shown["leads"], shown["fs_hz"], shown["seconds"]) == (TOY_NAME, 1, 360.0, 12.5)
    assert shown["rounds"] == 1
    assert shown["score_s"] > 0
    assert shown["score_cpu_s"] > 0
    assert shown["rss_mb"] > 10


def test_a_record_is_repeated_to_any_length(tmp_path: Path) -> None:
    record = replace(toy_record(), samples=toy_record().samples[:1000], leads=("aVR µ",))
    repeated = read_wfdb(write_repeated(record, tmp_path, length_s=7.5))
    assert (repeated.leads, repeated.gain, repeated.baseline) == (record.leads, record.gain, record.baseline)
    assert repeated.seconds == 7.5
    np.testing.assert_array_equal(repeated.samples, np.tile(record.samples, (3, 1))[:2700])


def test_a_file_that_is_not_scored_is_an_error(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert status_of(["bench", "score", "--record", TOY_NAME, "--length", "5", "--models", str(tmp_path)]) == 1
    assert "`ecgstream score` failed" in capsys.readouterr().err
