"""The detector without a bus: a record judged by the very code of the stream."""

from collections.abc import Iterable, Iterator, Mapping

from bus.messages import Urgent, Verdict
from bus.samples import Chunk
from detector.due import Due, StreamId
from detector.patient import PatientContext, judge
from detector.results import results_of
from detector.scorer import Scorer
from detector.stream import PatientStream
from ecg.records import Record, exact_rate
from ecg.second_filter import FilteredSignal
from ecg.windows import Grid

CHUNK_S = 1.0
BATCH = 384  # windows and the rapid checks between them
EPOCH_NS = 946_684_800_000_000_000  # 2000-01-01T00:00:00Z: a recording without a date starts here


def verdicts_in(messages: Iterable[Verdict | Urgent]) -> list[Verdict]:
    """The verdicts among messages."""
    return [each for each in messages if isinstance(each, Verdict)]


def judge_record(
    record: Record,
    scorer: Scorer,
    *,
    patient: str | None = None,
    device: str = "file",
    start_ns: int = EPOCH_NS,
    chunk_s: float = CHUNK_S,
    hop_s: int | None = None,
) -> list[Verdict | Urgent]:
    """All that the detector would publish of a record, in order: verdicts, and urgent messages between them.

    Parameters
    ----------
    record : what was recorded
    scorer : judges the windows
    patient, device, start_ns : stand in the messages; the patient is the record's name unless given
    chunk_s : length of the chunks that the record is cut into, s; changes nothing
    hop_s : from one window to the next, s; None for the scorer's
    """
    patient = patient or record.name
    context = PatientContext()
    published: list[Verdict | Urgent] = []
    batch: list[Due] = []
    signals: Mapping[StreamId, FilteredSignal] = {}

    def judge_batch() -> None:
        nonlocal context, signals
        found = results_of(batch, scorer, signals)
        signals = found.signals
        for due, result in zip(batch, found.results, strict=True):
            context, messages = judge(context, due, result, manifest=scorer.manifest)
            published.extend(messages)
        batch.clear()

    stream: PatientStream | None = None
    for offset, chunk in enumerate(
        chunks_of(record, patient=patient, device=device, start_ns=start_ns, chunk_s=chunk_s)
    ):
        stream = stream or PatientStream.begin(chunk, hop_s=hop_s or scorer.hop_s)
        due, _ = stream.accept(chunk, offset)
        batch.extend(due)
        if len(batch) >= BATCH:
            judge_batch()
    judge_batch()
    return published


def chunks_of(record: Record, *, patient: str, device: str, start_ns: int, chunk_s: float) -> Iterator[Chunk]:
    """Cut a record into the chunks of one patient, as a device sends them."""
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
