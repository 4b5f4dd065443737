"""Chaos for the detector in short."""

import asyncio

import pytest

from ecg.errors import EcgStreamError
from ecg.wfdb_files import toy_record
from ecgstream.bench.chaos import ChaosPlan, run_chaos

pytestmark = pytest.mark.broker


def test_nothing_is_lost_doubled_or_changed_when_things_die() -> None:
    plan = ChaosPlan(faults=3, seed=3, kinds=("sigkill", "broker_restart", "duplicate_send"), patients=4, record_s=120)
    report = asyncio.run(run_chaos(plan, [toy_record()]))
    assert sum(report["faults"].values()) == 3
    assert report["expected"] == 96
    assert (report["lost"], report["duplicated"], report["different"], report["unexpected"]) == (0, 0, 0, 0)


def test_unknown_fault_is_refused() -> None:
    with pytest.raises(EcgStreamError, match=r"kinds=flood .* choose from sigkill"):
        ChaosPlan(faults=1, seed=0, kinds=("flood",))
