"""Export on the command line, read again by the readers that 'score' uses."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bus import topics
from bus.clients import KafkaPublisher
from bus.interfaces import Outgoing
from bus.samples import Chunk, encode
from bus.settings import KafkaSettings
from ecg.files import read_file
from ecg.records import MISSING
from ecg.wfdb_files import load_record
from tests.ecgstream.commands import status_of

EXCERPT = str(Path("ecg/excerpts/119-excerpt.hea").resolve())


@pytest.mark.parametrize(("form", "suffix"), [("wfdb", ".hea"), ("edf", ".edf")])
def test_a_stretch_of_a_recording_is_converted(tmp_path: Path, form: str, suffix: str) -> None:
    said = tmp_path / "said.json"
    call = ["convert", EXCERPT, "--format", form, "--out", str(tmp_path / "out"), "--start", "10", "--seconds", "20"]
    assert status_of([*call, "--json", str(said)]) == 0
    again, record = read_file(tmp_path / f"out{suffix}"), load_record("119-excerpt", Path())
    np.testing.assert_array_equal(again.samples, record.samples[3_600:10_800])
    found = json.loads(said.read_text())
    assert found["files"][0] == str(tmp_path / f"out{suffix}")
    assert (found["leads"], found["fs_hz"], found["seconds"]) == (["MLII", "V1"], 360.0, 20.0)
    assert (found["samples"], found["missing"]) == (14_400, 0)


def test_a_stretch_behind_the_end_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call = ["convert", EXCERPT, "--format", "edf", "--out", str(tmp_path / "out")]
    assert status_of([*call, "--start", "400"]) == 1
    assert "has 300 s, and no sample from 400 s on: give an earlier --start" in capsys.readouterr().err
    assert status_of([*call, "--start", "290"]) == 0


@pytest.mark.parametrize("form", ["wfdb", "edf"])
def test_a_file_that_is_there_is_kept_unless_its_owner_says_otherwise(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    call = ["convert", EXCERPT, "--format", form, "--out", str(tmp_path / "out"), "--seconds", "20"]
    assert status_of(call) == 0
    files = {file: file.read_bytes() for file in tmp_path.iterdir()}
    assert status_of([*call, "--start", "5"]) == 1
    assert "is there already: name another file, or give --force" in capsys.readouterr().err
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == files
    assert status_of([*call, "--start", "5", "--force"]) == 0
    changed = {file: file.read_bytes() for file in tmp_path.iterdir()}
    assert changed.keys() == files.keys()
    assert changed != files


def test_a_record_may_take_the_place_of_the_one_that_it_is_read_from(tmp_path: Path) -> None:
    call = ["convert", EXCERPT, "--format", "wfdb", "--out", str(tmp_path / "own")]
    assert status_of(call) == 0
    before = read_file(tmp_path / "own.hea")
    call[1] = str(tmp_path / "own.hea")
    assert status_of([*call, "--start", "10", "--seconds", "20", "--force"]) == 0
    np.testing.assert_array_equal(read_file(tmp_path / "own.hea").samples, before.samples[3_600:10_800])


def test_beats_of_a_record_that_is_written_over_are_neither_lost_nor_taken_for_the_new_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    beats = tmp_path / "own.atr"
    beats.write_bytes(Path(EXCERPT).with_suffix(".atr").read_bytes())
    call = ["convert", EXCERPT, "--format", "wfdb", "--out", str(tmp_path / "own"), "--start", "10"]
    for more in ([], ["--force"]):
        assert status_of([*call, *more]) == 1
    assert f"{beats} belongs to the record that is there" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [beats]
    beats.unlink()
    assert status_of(call) == 0


START_NS = 1_700_000_000_000_000_000  # 2023-11-14T22:13:20Z


def chunk(number: int, *, patient: str = "p1") -> Chunk:
    """The ``number``-th quarter of a second at 200 Hz; each sample tells its index."""
    first = number * 50
    values = np.arange(first, first + 50)
    return Chunk(
        patient=patient,
        device="holter",
        start_ns=START_NS + number * 250_000_000,
        start_index=first,
        fs_hz=200.0,
        leads=("MLII", "V1"),
        gain=(200.0, 200.0),
        baseline=(0, 0),
        samples=np.stack([values, -values], axis=1).astype(np.int16),
    )


async def send(settings: KafkaSettings, chunks: list[Chunk]) -> None:
    async with KafkaPublisher(settings) as publisher:
        for each in chunks:
            await publisher.send(Outgoing(topic=topics.SAMPLES, key=each.patient.encode(), value=encode(each)))


@pytest.mark.broker
@pytest.mark.parametrize(("form", "suffix"), [("wfdb", ".hea"), ("edf", ".edf")])
async def test_a_stretch_of_a_live_patient_is_exported_with_its_gap(
    settings: KafkaSettings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, form: str, suffix: str
) -> None:
    there = [*range(20), *range(30, 60)]  # nothing came from second 5 to 7.5
    await send(settings, [chunk(number) for number in there])
    await send(settings, [replace(chunk(number), patient="p2", device="other") for number in range(60)])
    monkeypatch.setenv("ECGSTREAM_TOPIC_PREFIX", settings.topic_prefix)
    call = ["samples", "export", "--patient", "p1", "--from", "2023-11-14T22:13:22", "--to", "2023-11-14T22:13:32"]
    call += ["--format", form, "--out", str(tmp_path / "out"), "--bootstrap-servers", settings.bootstrap_servers]
    assert await asyncio.to_thread(status_of, call) == 0
    expected = np.concatenate([chunk(number).samples for number in range(8, 48)])
    expected[600:1_100] = MISSING
    np.testing.assert_array_equal(read_file(tmp_path / f"out{suffix}").samples, expected)
