"""``ecgstream send``: the command in a process of its own, against a real gateway."""

import asyncio
import json
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.samples import Chunk
from bus.settings import KafkaSettings
from ecg.errors import EcgStreamError
from ecg.records import MISSING
from ecgstream.live_rows import Int16Reader, LineReader
from tests.ecgstream.commands import clean_environment
from tests.gateway.serving import TOKENS, Gateway, counting, indexes, serving, stored
from tests.support.waiting import until

CSV = "time;II;V1;resp\n0,000;0,5;-1;3\n0,004;;0,001;3\n0,008;0,7;0,002;3\n"


@pytest.mark.parametrize(
    ("text", "wanted", "leads", "rows"),
    [
        (CSV, (), ("II", "V1"), [[0.5, -1], [np.nan, 0.001], [0.7, 0.002]]),
        (CSV, ("V1",), ("V1",), [[-1], [0.001], [0.002]]),
        ("0.1\n0.2\n", (), ("II",), [[0.1], [0.2]]),
        ("0.1 0.2\n0.3 0.4\n", ("I", "II"), ("I", "II"), [[0.1, 0.2], [0.3, 0.4]]),
        ("[0.1, null]\n[1, 2]\n", ("I", "II"), ("I", "II"), [[0.1, np.nan], [1, 2]]),
        ('{"II": 0.1, "hr": 60}\n{"II": 0.2}\n', ("II",), ("II",), [[0.1], [0.2]]),
        ("\N{ZERO WIDTH NO-BREAK SPACE}MDC_ECG_LEAD_II\r\n1\r\n\r\n2\r\n", (), ("MDC_ECG_LEAD_II",), [[1], [2]]),
        ("1,2\n3,x\n5\n7,8\n", ("I", "II"), ("I", "II"), [[1, 2], [3, np.nan], [np.nan] * 2, [7, 8]]),
    ],
)
def test_lines_are_read_alike_in_whatever_pieces_they_come(
    text: str, wanted: tuple[str, ...], leads: tuple[str, ...], rows: list[list[float]]
) -> None:
    for size in (1, 5, 10_000):
        reader, data = LineReader(wanted), text.encode()
        read = [reader.feed(data[at : at + size]) for at in range(0, len(data), size)]
        assert reader.leads == leads
        np.testing.assert_array_equal(np.concatenate([each for each in read if len(each)]), rows)


def test_the_last_line_needs_no_end() -> None:
    reader = LineReader()
    assert reader.feed(b"0.1\n0.2").tolist() == [[0.1]]
    assert reader.end().tolist() == [[0.2]]
    assert reader.end().tolist() == []


def test_lines_that_hold_no_row_are_counted() -> None:
    reader = LineReader(("I", "II"))
    reader.feed(b"1,2\n3,oops\n4\n5,6\n")
    assert reader.unread == 2


@pytest.mark.parametrize(
    ("text", "wanted", "said"),
    [
        ("1,2\n", (), "--leads"),
        ("time,resp\n1,2\n", (), "none of the columns"),
        ("time,II\n1,2\n", ("V1",), "no column 'V1'"),
        ("x" * 70_000, (), "longer than"),
    ],
)
def test_what_is_no_ecg_is_refused_with_its_remedy(text: str, wanted: tuple[str, ...], said: str) -> None:
    with pytest.raises(EcgStreamError, match=said):
        LineReader(wanted).feed(text.encode())


@given(size=st.integers(1, 9), leads=st.integers(1, 3))
def test_int16_is_read_alike_in_whatever_pieces_it_comes(size: int, leads: int) -> None:
    sent, reader = counting(0, 20, leads), Int16Reader(("a", "b", "c")[:leads])
    data = sent.tobytes()
    read = [reader.feed(data[at : at + size]) for at in range(0, len(data), size)]
    assert np.array_equal(np.concatenate(read), sent)


async def started(gateway: Gateway, *arguments: str, folder: Path) -> asyncio.subprocess.Process:
    environment = {"ECGSTREAM_CLIENT_URL": gateway.url, "ECGSTREAM_CLIENT_TOKEN": TOKENS["holter"]}
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ecgstream", "send", *arguments),
        cwd=folder,
        env=clean_environment() | environment,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def ended(process: asyncio.subprocess.Process, given: bytes | None = None) -> str:
    out, err = await asyncio.wait_for(process.communicate(given), 120)
    assert process.returncode == 0, err.decode()
    return out.decode()


def digits(chunks: list[Chunk]) -> list[int]:
    return [int(value) for chunk in chunks for value in chunk.samples[:, 0]]


@pytest.mark.broker
async def test_a_file_that_grows_is_followed_until_a_stop(settings: KafkaSettings, tmp_path: Path) -> None:
    file = tmp_path / "live.csv"
    file.write_text("II\n" + "".join(f"{value / 1000}\n" for value in range(200)))
    async with serving(settings, tmp_path) as gateway:
        process = await started(gateway, str(file), "--patient", "p1", "--fs", "250", folder=tmp_path)
        await until(lambda: gateway.metric("samples_total") >= 186)  # whole chunks of a quarter of a second
        with file.open("a") as growing:
            for value in range(200, 500):
                growing.write(f"{value / 1000}\n" if value != 300 else "lost\n")
        await until(lambda: gateway.metric("samples_total") >= 496)
        process.send_signal(signal.SIGTERM)
        assert "500 samples of patient p1 are stored" in await ended(process)
    chunks = await stored(settings)
    assert indexes(chunks) == list(range(500))
    assert digits(chunks) == [*range(300), MISSING, *range(301, 500)]


@pytest.mark.broker
@pytest.mark.parametrize("form", ["csv", "json", "int16"])
async def test_standard_input_is_sent_to_its_end(settings: KafkaSettings, tmp_path: Path, form: str) -> None:
    sent = {
        "csv": "".join(f"{value}\n" for value in range(1, 301)).encode(),
        "json": "".join(json.dumps([value]) + "\n" for value in range(1, 301)).encode(),
        "int16": (counting(1, 300)).tobytes(),
    }[form]
    options = ["-", "--patient", "p1", "--fs", "250", *(["--unit", "uV"] if form != "int16" else [])]
    async with serving(settings, tmp_path) as gateway:
        process = await started(gateway, *options, folder=tmp_path)
        assert "300 samples" in await ended(process, sent)
    chunks = await stored(settings)
    assert digits(chunks) == list(range(1, 301))


@pytest.mark.broker
async def test_what_cannot_be_sent_is_told_in_one_line(settings: KafkaSettings, tmp_path: Path) -> None:
    file = tmp_path / "f.csv"
    file.write_text("1\n")
    silent = tmp_path / "silent.csv"
    silent.write_text("ecg\n" + "off\n" * 20)
    async with serving(settings, tmp_path) as gateway:
        for arguments, said in (
            ([str(file), "--patient", "..", "--fs", "250"], "and not . or .. alone"),
            ([str(silent), "--patient", "p1", "--fs", "250", "--until-end"], "lines holds a sample"),
            ([str(file), "--patient", "p2", "--fs", "250", "--until-end"], "not for patient 'p2'"),
            ([str(tmp_path / "none"), "--patient", "p1", "--fs", "250"], "No such file"),
            ([str(file), "--patient", "p1", "--fs", "20"], "below 100 Hz"),
        ):
            process = await started(gateway, *arguments, folder=tmp_path)
            _, err = await asyncio.wait_for(process.communicate(), 120)
            assert process.returncode == 1
            assert said in err.decode()
            assert err.decode().count("\n") == 1
