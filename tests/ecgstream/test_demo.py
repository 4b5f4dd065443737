"""The demo, as a user runs it."""

import json
import os
import signal
from pathlib import Path

import psutil
import pytest

from ops.processes import number_here, number_in_proc
from tests.ecgstream.commands import start

pytestmark = pytest.mark.broker
PATIENCE_S = 180  # a machine that is busy with other tests


def test_a_real_recording_goes_through_and_nothing_is_lost_or_doubled(tmp_path: Path) -> None:
    arguments = ["demo", "--record", "208-excerpt", "--patients", "3", "--speed", "max", "--json", "-"]
    # A broker that is named, and settings for it, are none of the demo's business: it has its own.
    environment = {"ECGSTREAM_BOOTSTRAP_SERVERS": "nowhere:1", "ECGSTREAM_TOPIC_PREFIX": "other."}
    with start(*arguments, directory=tmp_path, environment=environment) as process:
        out, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, err
    summary = json.loads(out)  # and nothing else is on standard output
    assert summary["patients"] == 3
    assert summary["samples"] == 108_000 + 72_000 + 36_000
    assert summary["windows"] == 60 + 40 + 20
    assert summary["lost"] == 0
    assert summary["duplicated"] == 0
    assert 0 < summary["anomalies"] <= summary["windows"]
    assert 0 < summary["alerts"] <= summary["anomalies"]
    assert 0 < summary["latency_ms"]["p50"] <= summary["latency_ms"]["p99"]
    assert "not a medical device" in err
    assert "ALERT start" in err


def test_it_ends_in_order_when_asked_to(tmp_path: Path) -> None:
    with start("demo", "--record", "208-excerpt", "--json", "demo.json", directory=tmp_path) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "subscribe" in line:
                break
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, err) == (0, "")
    assert "lost 0, duplicated 0" in out
    summary = json.loads((tmp_path / "demo.json").read_text())
    assert summary["lost"] == summary["duplicated"] == 0


def test_it_ends_before_it_has_begun(tmp_path: Path) -> None:
    with start("demo", "--record", "208-excerpt", directory=tmp_path) as process:
        assert process.stdout is not None
        assert "not a medical device" in process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, err) == (0, "")
    assert out.startswith("0 patients, 0 samples")


@pytest.mark.parametrize(
    ("victim", "shown"), [("ecgstream detect", "'ecgstream detect'"), ("kafka.Kafka", "Kafka ended")]
)
def test_it_says_in_one_line_which_part_has_died(victim: str, shown: str, tmp_path: Path) -> None:
    with start("demo", "--record", "208-excerpt", "--speed", "2", directory=tmp_path) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "/min" in line:  # the first verdict
                break
        children = psutil.Process(number_in_proc(process.pid)).children()
        (part,) = [child for child in children if victim in " ".join(child.cmdline())]
        os.kill(number_here(part.pid), signal.SIGKILL)
        _, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 1
    last = err.splitlines()[-1]
    assert last.startswith("ecgstream: ")
    assert shown in last
    assert "Traceback" not in err
