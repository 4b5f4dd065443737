"""Scoring timed: what it takes is not judged here; that it says what the stream says is."""

import json

import pytest

from ecg.wfdb_files import TOY_NAME
from tests.ecgstream.commands import status_of


def test_a_file_is_scored_as_the_stream_would_judge_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(["bench", "score", "--record", TOY_NAME, "--json", "-"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["record"], told["windows"], told["repeatable"]) == (TOY_NAME, 60, True)
    assert (told["stream"]["windows"], told["stream"]["missing"], told["stream"]["different"]) == (60, 0, 0)
    assert told["stream"]["largest_difference"] <= 1e-6
    assert told["score_s"]["median"] > 0
