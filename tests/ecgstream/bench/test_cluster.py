"""Two detectors on three brokers: nothing is lost or doubled when a detector, a broker, every service ends."""

import asyncio

import pytest

from ecg.wfdb_files import toy_record
from ecgstream.bench.cluster import ClusterPlan, run_cluster
from ecgstream.bench.cluster_account import PARTITIONS

pytestmark = pytest.mark.broker


def test_two_detectors_share_and_nothing_is_lost_or_doubled_whatever_ends() -> None:
    report = asyncio.run(run_cluster(ClusterPlan(detectors=(2,), patients=36, calm_s=10), [toy_record()]))
    run = report["detectors"]["2"]
    assert run["balance"]["partitions"] == [PARTITIONS // 2, PARTITIONS // 2]
    assert min(run["balance"]["windows"]) > 0
    assert run["roll"]["services"] == 4
    assert run["windows"] > 0
    assert (run["lost"], run["duplicated"], run["alarm_messages_duplicated"]) == (0, 0, 0)
