"""The detector without a bus: the verdicts on a record, by the very code of the stream."""

from collections.abc import Iterator

from bus.messages import Verdict
from bus.samples import Chunk
from detector.scorer import Scorer
from detector.stream import DueWindow, PatientStream
from detector.verdicts import make_verdict
from ecg.records import Record, exact_rate
from ecg.windows import Grid

CHUNK_S = 1.0
BATCH = 64
EPOCH_NS = 946_684_800_000_000_000  # 2000-01-01T00:00:00Z: a recording without a date starts here


def verdicts_of(
    record: Record,
    scorer: Scorer,
    *,
    patient: str | None = None,
    device: str = "file",
    start_ns: int = EPOCH_NS,
    chunk_s: float = CHUNK_S,
) -> list[Verdict]:
    """The verdicts on every whole window of a record, in order.

    Parameters
    ----------
    record : what was recorded
    scorer : judges the windows
    patient, device, start_ns : stand in the verdicts; the patient is the record's name unless given
    chunk_s : length of the chunks that the record is cut into, s; changes nothing about the verdicts
    """
    patient = patient or record.name
    verdicts: list[Verdict] = []
    batch: list[DueWindow] = []

    def judge() -> None:
        for due, score in zip(batch, scorer.score(batch), strict=True):
            verdicts.append(make_verdict(due, score, manifest=scorer.manifest))
        batch.clear()

    stream: PatientStream | None = None
    for offset, chunk in enumerate(_chunks(record, patient, device, start_ns, chunk_s)):
        stream = stream or PatientStream.begin(chunk)
        batch.extend(stream.accept(chunk, offset))
        if len(batch) >= BATCH:
            judge()
    judge()
    return verdicts


def _chunks(record: Record, patient: str, device: str, start_ns: int, chunk_s: float) -> Iterator[Chunk]:
    grid = Grid(exact_rate(record.fs_hz))
    step = max(1, round(chunk_s * record.fs_hz))
    for start in range(0, len(record.samples), step):
        yield Chunk(
            patient=patient,
            device=device,
            start_ns=start_ns + grid.offset_ns(start),
            start_index=start,
            fs_hz=record.fs_hz,
            leads=record.leads,
            gain=record.gain,
            baseline=record.baseline,
            samples=record.samples[start : start + step],
        )
