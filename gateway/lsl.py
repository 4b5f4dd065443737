"""Streams of Lab Streaming Layer: each of type ECG on the network becomes a patient, by its name.

Whoever is on the network may send; there are no tokens. Samples have the times of their senders' clocks, brought to
this machine's by LSL. An outlet keeps nothing for a gateway that is away: what it misses is a gap.
"""

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any, NoReturn

import numpy as np
import structlog

from bus.clients import BrokerError
from bus.samples import Chunk, check_patient
from ecg.errors import EcgStreamError
from ecg.leads import knows_lead, lead_name
from ecg.records import from_millivolts
from ecg.units import millivolts_in
from gateway.forms import DEFAULT_GAIN
from gateway.intake import Session
from gateway.parts import Parts
from gateway.refusals import RefusedError
from gateway.sample_times import SampleTimes
from gateway.senders import Sender
from ops.clock import Clock

FIND_S = 1.0  # how often the network is asked for streams
PULL_S = 0.25  # of samples that go in one chunk
INFO_S = 5.0  # for a stream to say what its channels are
KEEP_S = 360  # of samples that LSL keeps while Kafka is away

log = structlog.get_logger(__name__)


def load_library() -> Any:
    """Return the module pylsl.

    Raises
    ------
    EcgStreamError : when it is not installed, or its library is missing
    """
    try:
        import pylsl  # noqa: PLC0415 # an extra that few need
    except (ImportError, RuntimeError) as error:
        raise EcgStreamError(
            "ECGSTREAM_GATEWAY_LSL needs pylsl: install it with pip install 'ecgstream[lsl]', or leave the setting out"
        ) from error
    return pylsl


class LslIntake:
    """Takes in the streams that are on the network."""

    def __init__(self, parts: Parts, *, clock: Clock) -> None:
        self._parts = parts
        self._clock = clock
        self._library = load_library()

    async def run(self) -> NoReturn:
        """Find streams and take them in, for ever."""
        resolver = self._library.ContinuousResolver(prop="type", value="ECG", forget_after=5.0)
        known: set[str] = set()
        async with asyncio.TaskGroup() as group:
            while True:
                here = {info.uid(): info for info in resolver.results()}
                for uid in here.keys() - known:
                    group.create_task(self._follow(here[uid]))
                known = set(here)
                await self._clock.sleep(FIND_S)

    async def _follow(self, info: Any) -> None:
        """Take a stream in until it ends; one that cannot be is refused once."""
        try:
            await self._take(info)
        except EcgStreamError as error:
            code = error.code if isinstance(error, RefusedError) else "malformed"
            self._parts.metrics.refused.labels(code).inc()
            log.warning("lsl_refused", code=code, reason=str(error))
        except (self._library.util.LostError, self._library.util.TimeoutError):
            log.info("lsl_ended")

    async def _take(self, found: Any) -> None:
        library, fs_hz = self._library, float(found.nominal_srate())
        check_patient(found.name())
        inlet = library.StreamInlet(found, max_buflen=KEEP_S, recover=False, processing_flags=library.proc_clocksync)
        info = await asyncio.to_thread(inlet.info, INFO_S)
        leads, scales = _channels(info)
        name = f"lsl {info.source_id() or info.uid()}"[:100]
        sender = self._parts.senders.trusted(name, patient=info.name())
        log.info("lsl", leads=len(leads), fs_hz=fs_hz)
        session, counter = Session(), SampleTimes(fs_hz)
        utc_ns = self._clock.now_ns() - round(library.local_clock() * 1e9)
        with contextlib.closing(_Closing(inlet)):
            while True:
                values, stamps = inlet.pull_chunk(timeout=0.0, max_samples=max(1, int(fs_hz)))
                if not stamps:
                    await self._clock.sleep(PULL_S)
                    continue
                rows = from_millivolts(np.array(values, np.float64) * scales, DEFAULT_GAIN)
                times_ns = np.round(np.array(stamps) * 1e9).astype(np.int64) + utc_ns
                for run in counter.runs(times_ns):
                    chunk = Chunk(
                        patient=info.name(),
                        device=sender.name,
                        start_ns=run.start_ns,
                        start_index=run.start_index,
                        fs_hz=fs_hz,
                        leads=leads,
                        gain=(DEFAULT_GAIN,) * len(leads),
                        baseline=(0,) * len(leads),
                        samples=rows[run.rows],
                    )
                    await self._store(session, sender, chunk)

    async def _store(self, session: Session, sender: Sender, chunk: Chunk) -> None:
        """Store a chunk, however long Kafka is away: LSL keeps what comes meanwhile."""
        while True:
            wait_s = sender.budget.wait_s(self._clock.monotonic_s())
            await self._clock.sleep(wait_s)
            sender.budget.take(size=chunk.samples.nbytes, samples=chunk.samples.size)
            try:
                await self._parts.intake.stored(await self._parts.intake.hand_over(session, sender, chunk, way="lsl"))
            except BrokerError as error:
                log.warning("lsl", error=str(error))
                await self._clock.sleep(PULL_S)
            else:
                return


class _Closing:
    """An inlet that is closed as files are."""

    def __init__(self, inlet: Any) -> None:
        self.close = inlet.close_stream


def _channels(info: Any) -> tuple[tuple[str, ...], "np.typing.NDArray[np.float64]"]:
    """Names of a stream's leads, and mV of a unit of each."""
    labels, scales = [], []
    described = list(_described(info))
    for number in range(info.channel_count()):
        label, unit = described[number] if number < len(described) else ("", "")
        label = label or ("II" if info.channel_count() == 1 else f"lead {number + 1}")
        scale = millivolts_in(unit) if unit else 1.0
        if scale is None:
            raise RefusedError("malformed", f"channel {label!r} has the unit {unit!r}: say microvolts or millivolts")
        labels.append(lead_name(label) if knows_lead(label) else label)
        scales.append(scale)
    return tuple(labels), np.array(scales)


def _described(info: Any) -> Iterator[tuple[str, str]]:
    """Yield label and unit of each channel that is described."""
    channel = info.desc().child("channels").child("channel")
    while not channel.empty():
        yield channel.child_value("label"), channel.child_value("unit")
        channel = channel.next_sibling()
