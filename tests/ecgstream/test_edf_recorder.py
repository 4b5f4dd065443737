"""EDF+ files that grow while a patient streams."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import edfio
import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as settings_of_examples
from hypothesis import strategies as st

from bus.samples import Chunk
from bus.settings import KafkaSettings
from ecg.errors import EcgStreamError
from ecg.files import read_file
from ecg.records import MISSING, Int16Array
from ecgstream.edf_recorder import EdfRecorder
from tests.ecgstream.commands import start
from tests.ecgstream.test_exporting import chunk, send
from tests.support.waiting import until


def recorder(path: Path) -> EdfRecorder:
    return EdfRecorder(path, began=lambda _: None)


def samples_of(numbers: range) -> Int16Array:
    return np.concatenate([chunk(number).samples for number in numbers])


def check_whole(path: Path, expected: Int16Array) -> None:
    """A file has these samples, whoever reads it, and behind them none that was received."""
    again = read_file(path)
    assert not again.remarks
    np.testing.assert_array_equal(again.samples[: len(expected)], expected)
    assert (again.samples[len(expected) :] == MISSING).all()
    assert edfio.read_edf(path).num_data_records * 200 == len(again.samples)


def test_the_file_is_whole_after_each_chunk(tmp_path: Path) -> None:
    recording = recorder(tmp_path / "p1")
    for number in range(41):
        recording.take(chunk(number))
        seconds = (number + 1) // 4
        if seconds:
            check_whole(tmp_path / "p1.edf", samples_of(range(4 * seconds)))
    recording.close()
    check_whole(tmp_path / "p1.edf", samples_of(range(41)))


@settings_of_examples(max_examples=30, deadline=None)
@given(lost=st.sets(st.integers(1, 58)), left=st.sets(st.integers(1, 58)), twice=st.sets(st.integers(0, 59)))
def test_gaps_repeats_and_pauses_of_the_recorder_give_the_same_samples(
    tmp_path_factory: pytest.TempPathFactory, lost: set[int], left: set[int], twice: set[int]
) -> None:
    path = tmp_path_factory.mktemp("edf") / "p1.edf"
    recording = recorder(path)
    for number in range(60):
        if number in left:  # ended in order, and begun again
            recording.close()
            recording = recorder(path)
        if number not in lost:
            recording.take(chunk(number))
        if number in twice - lost:
            recording.take(chunk(number))
    recording.close()
    expected = samples_of(range(60))
    for number in lost:
        expected[50 * number : 50 * number + 50] = MISSING
    again = read_file(path).samples
    np.testing.assert_array_equal(again, expected)
    assert [file.name for file in path.parent.iterdir()] == ["p1.edf"]


def test_another_device_and_a_clock_set_back_begin_a_file_of_their_own(tmp_path: Path) -> None:
    recording = recorder(tmp_path / "p1.edf")
    for number in range(8):
        recording.take(chunk(number))
    for number in range(8):
        recording.take(replace(chunk(number), device="other"))
    for number in range(8):
        back = chunk(number)
        recording.take(replace(back, device="other", start_ns=back.start_ns - 3_600_000_000_000))
    recording.close()
    for name in ("p1.edf", "p1-2.edf", "p1-3.edf"):
        check_whole(tmp_path / name, samples_of(range(8)))
    assert edfio.read_edf(tmp_path / "p1-3.edf").starttime.isoformat() == "21:13:20"


def test_a_clock_set_forward_is_a_gap(tmp_path: Path) -> None:
    recording = recorder(tmp_path / "p1.edf")
    for number in range(4):
        recording.take(chunk(number))
    late = chunk(4)
    recording.take(replace(late, start_ns=late.start_ns + 5_000_000_000))
    recording.close()
    expected = np.concatenate([samples_of(range(4)), np.full((1000, 2), MISSING, np.int16), late.samples])
    np.testing.assert_array_equal(read_file(tmp_path / "p1.edf").samples[: len(expected)], expected)


def test_a_file_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "p1.edf"
    edfio.Edf([edfio.EdfSignal(np.zeros(2000), 200, label="ECG II", physical_range=(-1, 1))]).write(path)
    before = path.read_bytes()
    with pytest.raises(EcgStreamError, match="was not written by this command: name another file"):
        recorder(path).take(chunk(0))
    assert path.read_bytes() == before


@contextmanager
def recording_of_p1(kafka: KafkaSettings, path: Path) -> Iterator[subprocess.Popen[str]]:
    """The command in a process of its own, connected; killed at the end if it still runs."""
    call = ["samples", "record", "--patient", "p1", "--out", str(path), "--bootstrap-servers", kafka.bootstrap_servers]
    environment = {"ECGSTREAM_TOPIC_PREFIX": kafka.topic_prefix}
    with start(*call, directory=path.parent, environment=environment) as process:
        try:
            assert process.stdout is not None
            assert process.stderr is not None
            assert process.stdout.readline() == "waiting for samples of p1\n", process.stderr.read()
            yield process
        finally:
            process.kill()


def counted(path: Path) -> int:
    """Data records, by the header."""
    return int(path.read_bytes()[236:244]) if path.exists() else 0


@pytest.mark.broker
async def test_a_recorder_that_is_killed_leaves_a_whole_file_and_catches_up(
    settings: KafkaSettings, tmp_path: Path
) -> None:
    path = tmp_path / "p1.edf"
    with recording_of_p1(settings, path):
        await send(settings, [chunk(number) for number in range(22)])
        await until(lambda: counted(path) == 5)
    check_whole(path, samples_of(range(20)))
    await send(settings, [chunk(number) for number in range(22, 40)])  # while nobody records
    with recording_of_p1(settings, path) as process:
        await send(settings, [chunk(number) for number in range(40, 50)])
        await until(lambda: counted(path) == 12)
        process.terminate()
        assert process.wait(60) == 0
    check_whole(path, samples_of(range(50)))


def test_a_chunk_of_another_shape_is_refused_in_time(tmp_path: Path) -> None:
    odd: Chunk = replace(chunk(0), fs_hz=250.001)
    with pytest.raises(EcgStreamError, match="choose the format wfdb"):
        recorder(tmp_path / "p1.edf").take(odd)
