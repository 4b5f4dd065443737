from typing import Any

import pytest
from pydantic import ValidationError

from producer.settings import FaultSettings, ReplaySettings


@pytest.mark.parametrize(("text", "speed"), [("max", "max"), ("10", 10.0), ("0.5", 0.5)])
def test_the_pace_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch, text: str, speed: float | str) -> None:
    monkeypatch.setenv("ECGSTREAM_REPLAY_SPEED", text)
    assert ReplaySettings(_env_file=None).speed == speed


def test_options_win_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECGSTREAM_REPLAY_CHUNK_MS", "500")
    assert ReplaySettings(_env_file=None).chunk_ms == 500
    assert ReplaySettings(_env_file=None, chunk_ms=100).chunk_ms == 100


@pytest.mark.parametrize(
    "wrong",
    [
        {"speed": 0},
        {"speed": "fast"},
        {"speed": float("nan")},
        {"chunk_ms": 99},
        {"chunk_ms": 1001},
        {"patients": 0},
        {"duration_s": 0},
        {"start_ns": -1},
    ],
)
def test_settings_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ReplaySettings(_env_file=None, **wrong)


@pytest.mark.parametrize("wrong", [{"duplicates": 1.5}, {"gaps_per_hour": -1}, {"noise": "hum"}, {"gap_s": 0}])
def test_faults_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        FaultSettings(_env_file=None, **wrong)
