"""Two patients of one partition under hostile devices, crashes, parking and lost transactions: nothing may differ."""

from dataclasses import dataclass, replace

from hypothesis import example, given, settings
from hypothesis import strategies as st

from bus import topics
from bus.offsets import Offsets
from bus.samples import Chunk
from detector.due import Due, RapidCheck
from detector.partition_state import PARTITION_KEY, PartitionState
from ecgstream.backup import progress_backups
from tests.detector.progress_log import ProgressLog
from tests.detector.streams import chunk, facts, signal

FS_HZ = 100.0
STEPS = 60  # chunks
JUMP_NS = 400_000_000
S = 1_000_000_000
DETECTOR = progress_backups()[0]


@dataclass(frozen=True)
class Fault:
    """What a device does wrong from a chunk on, or with it alone."""

    kind: str
    at: int


KINDS = ("drop", "twice", "again", "late", "later", "jump", "far", "restart", "renamed", "flap", "overlap")
FAULTS = st.lists(st.builds(Fault, st.sampled_from(KINDS), st.integers(0, STEPS - 1)), max_size=6)


def device(patient: str, faults: list[Fault], *, size: int) -> list[Chunk]:
    """The chunks of ``size`` samples of a patient, in the order in which they come."""
    samples = signal(300, FS_HZ, 2, seed=len(patient))
    chunks: list[Chunk] = []
    moved, jump_ns = 0, 0
    for number in range(STEPS):
        here = {fault.kind for fault in faults if fault.at == number}
        jump_ns += JUMP_NS * ("jump" in here)
        moved += 1_700 * ("far" in here)
        if "restart" in here:
            jump_ns += moved * 10_000_000 + number * size * 10_000_000
            moved = -number * size
        start = number * size + moved
        made = chunk(samples, start, start + size, fs_hz=FS_HZ, jump_ns=jump_ns, patient=patient)
        if any(fault.kind == "renamed" and fault.at <= number for fault in faults) or "flap" in here:
            made = replace(made, leads=("I", "II"))
        chunks.append(made)
        if "overlap" in here and start >= size:
            chunks.append(
                chunk(samples, start - size // 2, start + size // 2 + 1, fs_hz=FS_HZ, jump_ns=jump_ns, patient=patient)
            )
    for fault in faults:
        at = min(fault.at, len(chunks) - 3)
        if fault.kind == "drop":
            del chunks[at]
        elif fault.kind == "twice":
            chunks.insert(at + 1, chunks[at])
        elif fault.kind == "again":
            chunks.insert(min(len(chunks), at + 25), chunks[at])
        elif fault.kind in {"late", "later"}:
            chunks.insert(at + (1 if fault.kind == "late" else 2), chunks.pop(at))
    return chunks


@dataclass(frozen=True)
class Event:
    """What happens to the detector after a message.

    "hold": nothing is committed yet; "crash"; "park": all are silent; "forget": who is parked has long been silent;
    "restore": a crash, after which what is to be read again lies in a topic that was made anew.
    """

    kind: str
    at: int


EVENTS = st.lists(st.builds(Event, st.sampled_from(["crash", "hold", "park"]), st.integers(0, 2 * STEPS)), max_size=8)


def interleaved(first: list[Fault], second: list[Fault], *, joins_at: int, size: int) -> list[Chunk]:
    """Both patients' chunks as they lie in the partition."""
    chunks, other = device("p", first, size=size), device("other", second, size=size)
    mixed = chunks[:joins_at]
    for number in range(max(len(chunks) - joins_at, len(other))):
        mixed += chunks[joins_at + number :][:1] + other[number : number + 1]
    return mixed


def run(chunks: list[Chunk], events: list[Event], *, pace_ms: int = 0) -> list[tuple[str, tuple[object, ...]]]:
    """What a reader of committed messages sees, by patient in order."""
    log = ProgressLog()
    read: list[Due] = []
    pending: list[Due] = []
    records: dict[bytes, bytes] = {}
    state, offset = PartitionState(), 0
    first = 0  # of the chunks, the one at the topic's offset 0
    to_come = list(events)
    while (at := first + offset) < len(chunks):
        due = log.accept(state, chunks[at], offset, now_s=0, at_ms=at * pace_ms).due
        pending += due
        for each in due:
            if isinstance(each, RapidCheck):  # as if every one found something
                state.judged(each.stream, state.context(each.stream), published=True)
        state.next_offset = offset + 1
        here = {event.kind for event in to_come if event.at == at}
        to_come = [event for event in to_come if event.at != at]
        changed = {patient.encode(): record for patient, record in state.changed()}
        if "park" in here:
            changed |= {
                patient.encode(): record for patient, record in state.park_silent(now_s=1e6, now_ns=at * S, silent_s=1)
            }
        if "forget" in here:
            changed |= dict.fromkeys([name.encode() for name in state.forget(now_ns=at * S, forget_s=5)], b"")
        if changed:
            records |= changed | {PARTITION_KEY: state.partition_record()}
        if "hold" not in here and records:
            log.commit(state, records)
            read += pending
            records, pending = {}, []
        if "restore" in here:
            _, resume = log.restored()
            kept = {topics.SAMPLES: Offsets(range(resume or 0, len(chunks) - first))}
            log = log.elsewhere(lambda key, record, kept=kept: DETECTOR.translated(key, record, kept))  # type: ignore[misc] # a default binds
            first += resume or 0
        if here & {"crash", "restore"}:
            state, resume = log.restored()
            offset, records, pending = resume or 0, {}, []
            continue
        offset += 1
    read += pending
    return sorted(((each.stream.patient, facts(each)) for each in read), key=lambda one: one[0])


@settings(max_examples=200)
@given(first=FAULTS, second=FAULTS, joins_at=st.integers(0, 40), size=st.sampled_from([25, 100]), events=EVENTS)
# A late chunk with the clock before a jump is reread when the jump has left the ring.
@example(first=[Fault("jump", 10), Fault("late", 9)], second=[], joins_at=40, size=100, events=[Event("crash", 21)])
# A late chunk fills what was parked with a hole, and is reread.
@example(
    first=[Fault("drop", 3), Fault("late", 19)],
    second=[],
    joins_at=40,
    size=25,
    events=[Event("park", 19), Event("crash", 25)],
)
# The hole before a chunk that was parked is filled; the other patient's transaction comes before the next window.
@example(first=[], second=[Fault("late", 11)], joins_at=28, size=25, events=[Event("park", 52), Event("crash", 58)])
# A device restarts; the other patient's transaction comes before its first window.
@example(first=[Fault("restart", 8)], second=[Fault("far", 1)], joins_at=9, size=100, events=[Event("crash", 13)])
def test_whatever_devices_do_a_crash_changes_nothing(
    first: list[Fault], second: list[Fault], joins_at: int, size: int, events: list[Event]
) -> None:
    chunks = interleaved(first, second, joins_at=joins_at, size=size)
    assert run(chunks, events) == run(chunks, [])


@settings(max_examples=200)
@given(
    first=FAULTS,
    second=FAULTS,
    joins_at=st.integers(0, 40),
    size=st.sampled_from([25, 100]),
    events=st.lists(
        st.builds(Event, st.sampled_from(["crash", "hold", "park", "restore"]), st.integers(0, 2 * STEPS)), max_size=8
    ),
    restored=st.integers(0, 2 * STEPS),
)
# A clock has just jumped: whether the stream was silent since is told by messages that are not restored.
@example(first=[], second=[Fault("jump", 1)], joins_at=0, size=25, events=[Event("park", 9)], restored=9)
def test_whatever_devices_do_a_restore_changes_nothing(
    *, first: list[Fault], second: list[Fault], joins_at: int, size: int, events: list[Event], restored: int
) -> None:
    chunks = interleaved(first, second, joins_at=joins_at, size=size)
    assert run(chunks, [*events, Event("restore", restored)]) == run(chunks, [])


@settings(max_examples=100)
@given(
    first=FAULTS,
    second=FAULTS,
    joins_at=st.integers(0, 40),
    events=st.lists(st.builds(Event, st.sampled_from(["crash", "hold"]), st.integers(0, 2 * STEPS)), max_size=6),
    times=st.sets(st.integers(20, 110), min_size=2, max_size=6),
)
def test_forgetting_who_never_returns_changes_nothing(
    first: list[Fault], second: list[Fault], joins_at: int, events: list[Event], times: set[int]
) -> None:
    # The first patient falls silent; the other talks on, parked now and then and never forgotten.
    chunks = interleaved(first, second, joins_at=joins_at, size=100)
    chunks = [part for number, part in enumerate(chunks) if part.patient != "p" or number < min(times)]
    parks = [Event("park", at) for at in times]
    assert run(chunks, [*events, *parks, *(Event("forget", at) for at in times)]) == run(chunks, parks)


@settings(max_examples=300)
@given(faults=FAULTS)
# The same clock before and after: the renamed leads' windows would have the first leads' numbers.
@example(faults=[Fault("flap", 6), Fault("again", 1)])
@example(faults=[Fault("jump", 10), Fault("again", 1), Fault("again", 3)])
def test_no_window_or_check_is_given_out_twice(faults: list[Fault]) -> None:
    state = PartitionState()
    names = [
        (due.stream.start_ns, "check", due.second)
        if isinstance(due, RapidCheck)
        else (due.stream.start_ns, "window", due.window)
        for offset, part in enumerate(device("p", faults, size=100))
        for due in state.accept(part, offset, now_s=0).due
    ]
    assert len(names) == len(set(names))


def test_a_device_that_sends_one_chunk_for_ever_takes_no_memory_and_pins_nothing() -> None:
    stuck = chunk(signal(10, FS_HZ, 2), 0, 100, fs_hz=FS_HZ)
    state = PartitionState()
    for offset in range(600):
        state.accept(stuck, offset, now_s=offset)
        state.next_offset = offset + 1
        list(state.park_silent(now_s=offset, now_ns=0, silent_s=60))
    assert int(state.partition_record().split(b":")[1].split(b",")[0]) > 500
