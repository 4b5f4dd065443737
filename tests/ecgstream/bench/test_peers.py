"""The comparison with other stream processors; what it measures in time is not judged here."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from bus.interfaces import Received
from detector.publishing import INGEST_HEADER
from ecg.errors import EcgStreamError
from ecg.wfdb_files import TOY_NAME
from ecgstream.bench import peer_programs, peers
from ecgstream.bench.capacity import CapacityPlan
from ecgstream.bench.peer_log import WARM_UP, ScoreLog, different, kept_up, latency_ms, lost, silence_s
from ecgstream.bench.peer_programs import FOLDER, PEERS, Peer, PeerUnavailableError, environment_of, peers_named
from ecgstream.bench.peers import PeersPlan, as_table, measure, most_patients, run_peers


def _received(number: int, *, cnn: float | None = 0.5, patient: str = "p", header: bytes | None = None) -> Received:
    value = json.dumps({"id": f"{patient}/0/{number}", "patient": patient, "cnn": cnn, "ingest_ms": 1_000 * number})
    return Received(
        topic="ecg.windows",
        partition=0,
        offset=number,
        timestamp_ms=0,
        key=patient.encode(),
        value=value.encode(),
        headers=() if header is None else ((INGEST_HEADER, header),),
    )


def _log(*messages: Received) -> ScoreLog:
    log = ScoreLog()
    for message in messages:
        log.take(message)
    return log


def test_what_is_lost_doubled_and_different_is_counted() -> None:
    expected = {f"p/0/{number}": score for number, score in enumerate([0.5, 0.5, None, 0.5, 0.5])}
    log = _log(
        _received(0),
        _received(1, cnn=0.4),
        _received(1),
        _received(2, cnn=None),
        _received(3, cnn=None),
        _received(7),
        _received(0, patient=WARM_UP),
    )
    assert (lost(expected, log), log.doubled, different(expected, log), log.warm) == (1, 1, 3, 1)


def test_the_products_header_says_when_a_window_was_complete() -> None:
    assert _log(_received(3), _received(4, header=b"5000")).ingested_s == [3.0, 5.0]


def test_silence_ends_with_what_came_in_after_the_kill() -> None:
    log = ScoreLog(ingested_s=[1.0, 4.0, 6.0, 7.0], came_s=[2.0, 9.0, 9.5, 9.4])
    assert silence_s(5.0, log) == 4.4
    assert silence_s(8.0, log) is None


def test_who_falls_behind_does_not_keep_up() -> None:
    assert kept_up([30, 90, 500, 60, 400, 30])
    assert not kept_up([100 * number for number in range(60)])
    assert not kept_up([1.0])


def test_latencies_have_percentiles() -> None:
    assert latency_ms(ScoreLog(latencies_ms=[float(each) for each in range(101)])) == {"p50": 50, "p99": 99, "max": 100}


@pytest.mark.parametrize(("most", "start"), [(700, 250), (700, 1000), (250, 250), (1000, 1), (0, 4)])
async def test_the_search_ends_near_the_most_patients(most: int, start: int) -> None:
    async def keeps_up(patients: int) -> bool:
        return patients <= most

    found = await most_patients(keeps_up, start)
    assert found <= most <= found * 1.25 + 1


def test_the_kill_is_at_one_moment_for_all() -> None:
    replay = CapacityPlan(patients=2, duration_s=40, records=[TOY_NAME], data=Path())
    moments = {PeersPlan(replay=replay, seed=1).kill_after_s for _ in range(3)}
    assert len(moments) == 1
    assert 16 <= moments.pop() <= 24


def test_the_table_has_a_row_for_each() -> None:
    measured = {
        "guarantee": "at least once",
        "kept_up": True,
        "latency_ms": {"p50": 20.4, "p99": 40.0, "max": 50.0},
        "cpu_ms_per_window": 6.14,
        "lost": 0,
        "patients_kept_up": 700,
        "after_kill": {"lost": 3, "duplicated": 2, "different": 1, "windows": 100, "silence_s": 9.7},
    }
    lines = as_table({"peers": {"one": measured, "two": {"unavailable": "no network"}}}).splitlines()
    assert len(lines) == 4
    assert len({line.count("|") for line in lines}) == 1
    assert "| one | at least once | yes; at most 700 | 6.1 ms | 20 / 40 ms | 0 | 3, 2, 1 of 100 | 9.7 s |" in lines
    assert "no network" in lines[3]


def test_every_peer_has_its_program_and_its_locked_requirements() -> None:
    for name, peer in PEERS.items():
        if peer.lock is not None:
            assert "--hash=sha256:" in (FOLDER / "requirements" / peer.lock).read_text(), name


def test_an_unknown_peer_is_refused_with_those_there_are() -> None:
    with pytest.raises(EcgStreamError, match="peers=flink is no peer: choose from plain_aiokafka, "):
        peers_named(["plain_aiokafka", "flink"])


def test_an_environment_that_cannot_be_made_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(peer_programs, "FOLDER", tmp_path)
    monkeypatch.setenv("ECGSTREAM_DATA_DIR", str(tmp_path / "data"))
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements" / "none.lock").write_text("nothing-of-the-kind==1.0\n")  # without a hash
    with pytest.raises(PeerUnavailableError, match="its environment cannot be made: "):
        environment_of(Peer(arguments=(), lock="none.lock", guarantee=""))


async def test_what_a_peer_lacks_or_does_keeps_no_other_from_being_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    async def measured(_plan: PeersPlan, name: str, _peer: Peer | None, **_: object) -> dict[str, Any]:
        if name == "lacking":
            raise PeerUnavailableError("its environment cannot be made: no network")
        if name == "failing":
            raise ExceptionGroup(
                "of a task group", [EcgStreamError("'peer failing' ended with status 1: no such topic")]
            )
        return {"kept_up": True}

    monkeypatch.setattr(peers, "measure", measured)
    plan = PeersPlan(replay=CapacityPlan(patients=2, duration_s=40, records=[TOY_NAME], data=Path()))
    lines: list[str] = []
    report = await run_peers(
        plan, dict.fromkeys(["lacking", "failing", "good"], PEERS["bytewax"]), report_line=lines.append
    )
    assert report["peers"] == {
        "ecgstream": {"kept_up": True},
        "lacking": {"unavailable": "its environment cannot be made: no network"},
        "failing": {"failed": "'peer failing' ended with status 1: no such topic"},
        "good": {"kept_up": True},
    }
    assert "lacking is left out: its environment cannot be made: no network" in lines


@pytest.mark.broker
def test_the_plain_loop_judges_every_window(tmp_path: Path) -> None:
    replay = CapacityPlan(patients=3, duration_s=30, speed="10", records=[TOY_NAME], data=tmp_path)
    plan = PeersPlan(replay=replay, kill=False)
    report = asyncio.run(measure(plan, "plain_aiokafka", PEERS["plain_aiokafka"]))
    assert (report["windows"], report["expected_windows"]) == (18, 18)
    assert (report["lost"], report["duplicated"]) == (0, 0)
    assert report["cpu_ms_per_window"] > 0
