"""Recording a live patient into EDF+ files, with what the topic kept while nobody recorded."""

from collections.abc import Callable
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

from bus import topics
from bus.clients import KafkaReader
from bus.sample_history import MAX_SPAN_S, NoSamplesError, SampleHistory
from bus.samples import BadChunkError, Chunk, check_patient, decode
from bus.settings import KafkaSettings
from bus.stored_samples import StoredSamples
from ecg.records import exact_rate
from ecgstream.edf_recorder import EdfRecorder
from ops.signals import stop_on_signals

POLL_MS = 200  # how soon Ctrl-C is heard
_NS = 1_000_000_000


async def record(kafka: KafkaSettings, patient: str, path: Path, *, say: Callable[[str], None]) -> None:
    """Write what comes of a patient until SIGINT or SIGTERM.

    Parameters
    ----------
    kafka : how to reach Kafka
    patient : the patient id
    path : of the first file: see ``ecgstream.edf_recorder``
    say : prints a line

    Raises
    ------
    BrokerError : when Kafka does not answer
    EcgStreamError : when a file cannot be written
    """
    check_patient(patient)
    key = patient.encode()
    recorder = EdfRecorder(path, began=lambda file: say(f"writing {file}"))
    with stop_on_signals() as stop:
        async with KafkaReader(kafka, [topics.SAMPLES], start="end") as reader, SampleHistory(kafka) as history:
            say(f"waiting for samples of {patient}")
            first = True
            try:
                while not stop.is_set():
                    for message in await reader.batch(timeout_ms=POLL_MS):
                        if message.key != key:
                            continue
                        try:
                            chunk = decode(message.value, key=key)
                        except BadChunkError:  # the detector puts it aside
                            continue
                        if first and (end_ns := recorder.written_to(chunk)) is not None:
                            await _catch_up(recorder, history, chunk, end_ns)
                        first = False
                        recorder.take(chunk)
            finally:
                recorder.close()


async def _catch_up(recorder: EdfRecorder, history: SampleHistory, chunk: Chunk, end_ns: int) -> None:
    """Take what came before a chunk since a file was left; what the topic no longer has stays missing."""
    step_ns = round(MAX_SPAN_S * _NS)
    while end_ns < chunk.start_ns:
        to_ns = min(end_ns + step_ns, chunk.start_ns)
        with suppress(NoSamplesError):
            recorder.take(_chunk_of(await history.read(chunk.patient, end_ns, to_ns), chunk))
        end_ns = to_ns


def _chunk_of(stored: StoredSamples, live: Chunk) -> Chunk:
    """Return what was read back, by the running index that it would have by a live chunk's clock."""
    return Chunk(
        patient=stored.patient,
        device=stored.device,
        start_ns=stored.start_ns,
        start_index=round(Fraction(stored.start_ns - live.base_ns, _NS) * exact_rate(stored.fs_hz)),
        fs_hz=stored.fs_hz,
        leads=stored.leads,
        gain=stored.gain,
        baseline=stored.baseline,
        samples=stored.samples,
    )
