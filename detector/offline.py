"""The detector without a bus: the verdicts on a record, by the very code of the stream."""

from collections.abc import Iterable, Iterator

from bus.messages import Urgent, Verdict
from bus.samples import Chunk
from detector.looks import judge_look, measure_looks
from detector.scorer import Scorer
from detector.stream import Due, DueWindow, PatientStream
from detector.verdicts import make_verdict
from ecg.records import Record, exact_rate
from ecg.windows import Grid

CHUNK_S = 1.0
BATCH = 384  # windows and the looks between them
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
    """The verdicts on every whole window of a record, in order: see ``told_of``."""
    return verdicts_in(told_of(record, scorer, patient=patient, device=device, start_ns=start_ns, chunk_s=chunk_s))


def verdicts_in(told: Iterable[Verdict | Urgent]) -> list[Verdict]:
    """The verdicts of all that was told."""
    return [each for each in told if isinstance(each, Verdict)]


def told_of(
    record: Record,
    scorer: Scorer,
    *,
    patient: str | None = None,
    device: str = "file",
    start_ns: int = EPOCH_NS,
    chunk_s: float = CHUNK_S,
) -> list[Verdict | Urgent]:
    """All that the detector tells of a record, in order: the verdicts, and what it sees every second between them.

    Parameters
    ----------
    record : what was recorded
    scorer : judges the windows
    patient, device, start_ns : stand in the verdicts; the patient is the record's name unless given
    chunk_s : length of the chunks that the record is cut into, s; changes nothing
    """
    patient = patient or record.name
    told: list[Verdict | Urgent] = []
    batch: list[Due] = []

    def judge() -> None:
        scores = iter(scorer.score([due for due in batch if isinstance(due, DueWindow)]))
        measured = iter(measure_looks([due for due in batch if not isinstance(due, DueWindow)]))
        for due in batch:
            if isinstance(due, DueWindow):
                told.append(make_verdict(due, next(scores), manifest=scorer.manifest))
            elif (urgent := judge_look(due, next(measured))) is not None:
                told.append(urgent)
        batch.clear()

    stream: PatientStream | None = None
    for offset, chunk in enumerate(_chunks(record, patient, device, start_ns, chunk_s)):
        stream = stream or PatientStream.begin(chunk)
        batch.extend(stream.accept(chunk, offset))
        if len(batch) >= BATCH:
            judge()
    judge()
    return told


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
