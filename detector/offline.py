"""The detector without a bus: a record judged by the very code of the stream."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from bus.messages import Urgent, Verdict
from bus.samples import Chunk
from detector.due import Due, StreamId
from detector.patient import PatientContext, judge_all
from detector.results import results_of
from detector.score import Result
from detector.scorer import Scorer
from detector.stream import PatientStream
from ecg.records import Recording, exact_rate
from ecg.second_filter import FilteredSignal
from ecg.windows import Grid

CHUNK_S = 1.0
PIECE_S = 60.0  # that are read at once: what opening the file costs is spread over 60 chunks
BATCH = 384  # windows and the rapid checks between them
EPOCH_NS = 946_684_800_000_000_000  # 2000-01-01T00:00:00Z: a recording without a date starts here

Score = Callable[[Sequence[Due]], Callable[[], list[Result]]]  # begins to score a batch, gives what waits for it
Progress = Callable[[int, int], None]  # is told how many samples are judged so far, and of how many


def no_progress(done: int, of: int) -> None:
    """Tell nobody."""
    del done, of


def verdicts_in(messages: Iterable[Verdict | Urgent]) -> list[Verdict]:
    """The verdicts among messages."""
    return [each for each in messages if isinstance(each, Verdict)]


def judge_record(
    recording: Recording,
    scorer: Scorer,
    *,
    patient: str | None = None,
    device: str = "file",
    start_ns: int = EPOCH_NS,
    chunk_s: float = CHUNK_S,
    piece_s: float = PIECE_S,
    hop_s: int | None = None,
    progress: Progress = no_progress,
    score: Score | None = None,
) -> Iterator[Verdict | Urgent]:
    """Judge a recording piece by piece, and give what the detector would publish of it: verdicts, urgent messages.

    What is held meanwhile does not grow with the recording.

    Parameters
    ----------
    recording : what was recorded
    scorer : judges the windows
    patient, device, start_ns : stand in the messages; the patient is the record's name unless given
    chunk_s : length of the chunks that the recording is cut into, s; changes nothing
    piece_s : length of the pieces that it is read in, s; changes nothing
    hop_s : from one window to the next, s; None for the scorer's
    progress : is told how many more samples are judged, and of how many in all
    score : begins to score a batch, in a process beside; None to score it here
    """
    score = score or _scoring_here(scorer)
    context = PatientContext()
    batch: list[Due] = []
    begun: deque[tuple[list[Due], Callable[[], list[Result]], int]] = deque()
    stream: PatientStream | None = None
    read = 0
    chunks = chunks_of(
        recording, patient=patient or recording.name, device=device, start_ns=start_ns, chunk_s=chunk_s, piece_s=piece_s
    )
    for offset, chunk in enumerate(chunks):
        stream = stream or PatientStream.begin(chunk, hop_s=hop_s or scorer.hop_s)
        due = stream.go_on(chunk, offset)
        batch.extend(stream.accept(chunk, offset)[0] if due is None else due)
        read += len(chunk.samples)
        if len(batch) >= BATCH or read == recording.length:
            begun.append((batch, score(batch), read))
            batch = []
        # One batch is scored while the one before is judged.
        while len(begun) > 1 or (begun and read == recording.length):
            items, results, reached = begun.popleft()
            judged = judge_all(
                {items[0].stream: context} if items else {},
                items,
                results(),
                class_beats=scorer.class_beats,
                manifest=scorer.manifest,
            )
            for each in judged:
                context = each.context
                yield from each.published
            progress(reached, recording.length)


def _scoring_here(scorer: Scorer) -> Score:
    signals: Mapping[StreamId, FilteredSignal] = {}

    def score(batch: Sequence[Due]) -> Callable[[], list[Result]]:
        nonlocal signals
        found = results_of(batch, scorer, signals)
        signals = found.signals
        return lambda: found.results

    return score


def chunks_of(
    recording: Recording, *, patient: str, device: str, start_ns: int, chunk_s: float, piece_s: float = PIECE_S
) -> Iterator[Chunk]:
    """Cut a recording into the chunks of one patient, as a device sends them.

    It is read some whole chunks at a time: so the chunks, and by them the batches in which the networks round, are the
    same for any length of the pieces.
    """
    grid = Grid(exact_rate(recording.fs_hz))
    step = max(1, round(chunk_s * recording.fs_hz))
    start = 0
    for piece in recording.pieces(max(1, round(piece_s / chunk_s)) * step):
        for first in range(0, len(piece), step):
            samples = piece[first : first + step]
            yield Chunk(
                patient=patient,
                device=device,
                start_ns=start_ns + grid.offset_ns(start),
                start_index=start,
                fs_hz=recording.fs_hz,
                leads=recording.leads,
                gain=recording.gain,
                baseline=recording.baseline,
                samples=samples,
            )
            start += len(samples)
