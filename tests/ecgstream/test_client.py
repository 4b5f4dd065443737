"""``ecgstream.client`` against a real gateway on a real broker."""

import asyncio
from pathlib import Path

import numpy as np
import pytest

from bus.settings import KafkaSettings
from ecg.errors import EcgStreamError
from ecg.records import MISSING
from ecgstream.bench.cutting import cable
from ecgstream.client import Stream, StreamError
from ops.ports import free_ports
from tests.gateway.serving import TOKENS, counting, indexes, now_ns, serving, stored

pytestmark = pytest.mark.broker
HOLTER = TOKENS["holter"]


async def test_what_is_sent_is_stored_in_order_whatever_pieces_it_came_in(
    settings: KafkaSettings, tmp_path: Path
) -> None:
    heard: list[int] = []
    begun_ns = now_ns() - 10 * 10**9
    async with serving(settings, tmp_path) as gateway:
        async with Stream(
            patient="p1", fs_hz=250, url=gateway.url, token=HOLTER, on_acknowledged=heard.append
        ) as stream:
            start = 0
            for count in (1, 7, 200, 500, 3):
                await stream.send(counting(start, count), start_ns=begun_ns + start * 4_000_000)
                start += count
        assert sum(heard) == 711
    chunks = await stored(settings)
    assert indexes(chunks) == list(range(711))
    assert np.array_equal(np.concatenate([chunk.samples for chunk in chunks]), counting(0, 711))


async def test_millivolts_are_steps_of_a_microvolt_and_nan_is_missing(settings: KafkaSettings, tmp_path: Path) -> None:
    async with (
        serving(settings, tmp_path) as gateway,
        Stream(patient="p1", fs_hz=250, leads=("II", "V1"), url=gateway.url, token=HOLTER) as stream,
    ):
        await stream.send([[0.5, -1.0], [np.nan, 0.001]])
        await stream.flush()
    (chunk,) = await stored(settings)
    assert (chunk.leads, chunk.gain, chunk.baseline) == (("II", "V1"), (1000.0, 1000.0), (0, 0))
    assert chunk.samples.tolist() == [[500, -1000], [MISSING, 1]]


async def test_a_time_that_is_later_leaves_a_gap_of_its_size(settings: KafkaSettings, tmp_path: Path) -> None:
    begun_ns = now_ns() - 10 * 10**9
    async with (
        serving(settings, tmp_path) as gateway,
        Stream(patient="p1", fs_hz=250, url=gateway.url, token=HOLTER) as stream,
    ):
        await stream.send(counting(0, 50), start_ns=begun_ns)
        await stream.send(counting(50, 50), start_ns=begun_ns + 200_000_000 + 3_000_000)  # a jitter of 3 ms
        await stream.send(counting(225, 50), start_ns=begun_ns + 900_000_000)
    chunks = await stored(settings)
    assert indexes(chunks) == [*range(100), *range(225, 275)]
    assert {chunk.base_ns for chunk in chunks} == {begun_ns}


async def test_cut_off_and_with_a_gateway_that_ends_and_begins_nothing_is_lost_or_doubled(
    settings: KafkaSettings, tmp_path: Path
) -> None:
    begun_ns = now_ns() - 60 * 10**9
    (port,) = free_ports(1)
    async with cable(port) as way:
        url = f"http://127.0.0.1:{way.port}"
        async with Stream(patient="p1", fs_hz=250, url=url, token=HOLTER, chunk_s=0.1) as stream:

            async def send(first: int, last: int, *, cut: bool) -> None:
                for start in range(first, last, 25):
                    await stream.send(counting(start, 25), start_ns=begun_ns + start * 4_000_000)
                    await asyncio.sleep(0)
                    if cut:
                        way.cut()

            async with serving(settings, tmp_path, port=port):
                await send(0, 500, cut=True)
                await stream.flush()
                await send(500, 600, cut=False)
            await send(600, 800, cut=False)
            async with serving(settings, tmp_path, port=port):
                await send(800, 1000, cut=True)
                await stream.flush()
    assert indexes(await stored(settings)) == list(range(1000))


async def test_a_gateway_that_is_not_there_is_told_of_at_the_end() -> None:
    (port,) = free_ports(1)
    stream = Stream(patient="p1", fs_hz=250, url=f"http://127.0.0.1:{port}")
    await stream.__aenter__()
    await stream.send(counting(0, 100))
    with pytest.raises(StreamError, match="100 samples were not acknowledged"):
        await stream.flush(timeout_s=0.1)
    await stream.__aexit__(KeyboardInterrupt, None, None)


async def test_who_is_refused_hears_why(settings: KafkaSettings, tmp_path: Path) -> None:
    async with serving(settings, tmp_path) as gateway:
        with pytest.raises(StreamError, match="not for patient 'p2'"):
            async with Stream(patient="p2", fs_hz=250, url=gateway.url, token=HOLTER) as stream:
                await stream.send(counting(0, 100))
        with pytest.raises(StreamError, match="device-token"):
            async with Stream(patient="p1", fs_hz=250, url=gateway.url, token="ecgs_unknown") as stream:
                await stream.send(counting(0, 100))


@pytest.mark.parametrize(
    ("samples", "said"), [(np.zeros((5, 2)), "do not fit 1 leads"), (np.full(5, 40_000), "neither"), (["a"], "neither")]
)
async def test_what_is_no_sample_is_refused_here(samples: object, said: str) -> None:
    stream = Stream(patient="p1", fs_hz=250)
    with pytest.raises(StreamError, match=said):
        await stream.send(samples)  # type: ignore[arg-type]


@pytest.mark.parametrize("url", ["127.0.0.1:8010", "ftp://x", "http://"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(EcgStreamError, match=r"write it like http://127\.0\.0\.1:8010"):
        Stream(patient="p1", fs_hz=250, url=url)


async def test_who_sends_faster_than_a_heart_beats_waits(settings: KafkaSettings, tmp_path: Path) -> None:
    async with (
        serving(settings, tmp_path, future_s=1.5) as gateway,
        Stream(patient="p1", fs_hz=250, url=gateway.url, token=HOLTER) as stream,
    ):
        for number in range(30):
            await stream.send(counting(100 * number, 100))
    chunks = await stored(settings)
    assert indexes(chunks) == list(range(3000))
    assert max(chunk.end_ns for chunk in chunks) <= now_ns() + 1.5e9
