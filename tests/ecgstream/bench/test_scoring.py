"""Scoring timed: what it takes is not judged here; that it says what the stream says is."""

import json

import pytest

from ecg.wfdb_files import TOY_NAME
from tests.ecgstream.commands import status_of


def test_a_file_is_scored_as_the_stream_would_judge_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(["bench", "score", "--record", TOY_NAME, "--json", "-"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["record"], shown["windows"], shown["repeatable"]) == (TOY_NAME, 60, True)
    assert (shown["stream"]["windows"], shown["stream"]["missing"], shown["stream"]["different"]) == (60, 0, 0)
    assert shown["stream"]["largest_difference"] <= 1e-6
    assert shown["score_s"]["median"] > 0
