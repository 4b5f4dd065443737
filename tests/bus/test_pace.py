import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.pace import GATHER_BYTES, LEAST_MS, MOST_MS, QUIET_MS, Gathering, Pace


def after(load: float, *, seconds: float = 10.0, step_s: float = 0.05, came: bool = True) -> Pace:
    """The pace of a process that has been so busy for so long."""
    pace = Pace(wall_s=0.0, cpu_s=0.0)
    for turn in range(1, round(seconds / step_s) + 1):
        pace.turned(wall_s=turn * step_s, cpu_s=turn * step_s * load, came=came)
    return pace


@pytest.mark.parametrize(
    ("load", "wait_ms", "share"), [(0.05, LEAST_MS, 0.0), (0.45, (LEAST_MS + MOST_MS) // 2, 0.5), (0.9, MOST_MS, 1.0)]
)
def test_more_gathers_the_busier_the_process_is(load: float, wait_ms: int, share: float) -> None:
    pace = after(load)
    assert pace.gathering == Gathering(min_bytes=GATHER_BYTES, max_wait_ms=wait_ms)
    assert pace.share == pytest.approx(share, abs=0.01)


def test_where_nothing_comes_the_first_message_does_not_wait() -> None:
    assert after(0.9, came=False).gathering == Gathering(min_bytes=1, max_wait_ms=QUIET_MS)


@given(loads=st.lists(st.floats(0, 4), min_size=1, max_size=50), step_s=st.floats(0, 5))
def test_the_pace_stays_within_its_limits(loads: list[float], step_s: float) -> None:
    pace, wall_s, cpu_s = Pace(wall_s=0.0, cpu_s=0.0), 0.0, 0.0
    for load in loads:
        wall_s += step_s
        cpu_s += step_s * load
        pace.turned(wall_s=wall_s, cpu_s=cpu_s, came=True)
        assert 0 <= pace.share <= 1
        assert LEAST_MS <= pace.gathering.max_wait_ms <= MOST_MS
