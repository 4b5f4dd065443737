"""The bench and the chaos of the gateway, short."""

import json
from pathlib import Path

import pytest

from tests.ecgstream.commands import start

pytestmark = pytest.mark.broker


def test_chaos_loses_and_doubles_nothing_and_changes_no_verdict(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    arguments = ("--service", "gateway", "--faults", "1", "--seed", "3", "--patients", "4", "--seconds", "20")
    process = start("chaos", *arguments, "--json", str(out), directory=tmp_path)
    _, said = process.communicate(timeout=300)
    assert process.returncode == 0, said
    report = json.loads(out.read_text())
    assert report["faults"] == {"cut": 2, "sigkill": 1}
    assert report["ways"] == {"websocket": 2, "http": 2}
    assert report["acknowledged"] == report["stored"] > 4 * 20 * 100
    assert (report["lost"], report["duplicated"], report["different"]) == (0, 0, 0)
    verdicts = report["verdicts"]
    assert verdicts["expected"] == 16
    assert {verdicts[each] for each in ("lost", "duplicated", "different", "unexpected")} == {0}


def test_the_bench_times_every_chunk_until_it_is_acknowledged(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    arguments = ("--devices", "5", "--duration", "5", "--chunk-ms", "500")
    process = start("bench", "gateway", *arguments, "--json", str(out), directory=tmp_path)
    _, said = process.communicate(timeout=300)
    assert process.returncode == 0, said
    report = json.loads(out.read_text())
    assert (report["devices"], report["chunks"], report["unacknowledged"]) == (5, 100, 0)
    assert 0 < report["ack_ms"]["p50"] <= report["ack_ms"]["p99"] <= report["ack_ms"]["max"]
    assert report["gateway_cores"] > 0
