"""Broken and hostile senders under one patient id: what each may do to the patient's good stream, and for how long."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bus import topics
from bus.interfaces import Received
from bus.messages import RefusalCode
from bus.samples import Chunk
from detector.candidate import MAX_HELD
from detector.due import Due, DueWindow
from detector.partition_state import PartitionState
from detector.patient_streams import MAX_CANDIDATES, MAX_STREAMS, STARTS_KEPT
from tests.detector.streams import START_NS, chunk, facts, signal

FS_HZ = 100.0
S = 1_000_000_000
HOUR = 3600
DAYS_2 = 2 * 24 * HOUR


class Sent:
    """What came of the messages of one partition, sent a quarter of a second apart."""

    def __init__(self, chunks: Sequence[Chunk] = (), *, pace_ms: int = 250) -> None:
        self.state = PartitionState()
        self.due: list[Due] = []
        self.codes: list[RefusalCode] = []
        self.offset = 0
        self.pace_ms = pace_ms
        self.send(*chunks)

    def send(self, *chunks: Chunk) -> None:
        for each in chunks:
            at_ms = self.offset * self.pace_ms
            message = Received(
                topic=topics.SAMPLES,
                partition=0,
                offset=self.offset,
                timestamp_ms=at_ms,
                key=each.patient.encode(),
                value=b"",
            )
            accepted = self.state.accept(each, self.offset, now_s=0, at_ms=at_ms, message=message)
            self.due += accepted.due
            self.codes += [refusal.code for _, refusal in accepted.refused]
            self.offset += 1
            self.state.next_offset = self.offset

    def windows(self, *, start_ns: int | None = START_NS) -> list[DueWindow]:
        found = [due for due in self.due if isinstance(due, DueWindow)]
        return [w for w in found if start_ns is None or w.stream.start_ns == start_ns]


def good(first_s: float, last_s: float, *, seed: int = 0, base_ns: int = 0, device: str = "test") -> list[Chunk]:
    """A device's quarter-second chunks from one second of its stream to another."""
    samples = signal(last_s + 1, FS_HZ, 2, seed=seed)
    return [
        replace(chunk(samples, start, start + 25, fs_hz=FS_HZ, jump_ns=base_ns), device=device)
        for start in range(round(first_s * FS_HZ), round(last_s * FS_HZ), 25)
    ]


def moved(part: Chunk, *, index: int = 0, clock_ns: int = 0) -> Chunk:
    return replace(part, start_index=part.start_index + index, start_ns=part.start_ns + clock_ns)


ROGUES = {
    "an index of 10^12": ("index_jump", {"index": 10**12}),
    "an hour ahead, by the index alone": ("index_jump", {"index": 360_000}),
    "an hour ahead, by index and clock": ("index_jump", {"index": 360_000, "clock_ns": HOUR * S}),
    "a minute ahead, by index and clock": ("index_jump", {"index": 6_000, "clock_ns": 60 * S}),
    "five seconds ahead, by index and clock": ("index_jump", {"index": 500, "clock_ns": 5 * S}),
    "two days ahead, by the clock": ("clock", {"clock_ns": DAYS_2 * S}),
    "dated 1970": ("clock", {"clock_ns": -START_NS}),
    "dated 2116": ("clock", {"clock_ns": 4_600_000_000 * S - START_NS}),
    "index 0 at another time": ("index_jump", {"index": -3_000, "clock_ns": 5 * S}),
    "long judged": (None, {"index": -2_000, "clock_ns": -20 * S}),
}


@pytest.mark.parametrize("name", ROGUES)
def test_one_rogue_chunk_changes_nothing_and_is_refused_with_its_code(name: str) -> None:
    code, how = ROGUES[name]
    chunks = good(0, 60)
    rogue = moved(chunks[120], **how)
    undisturbed, disturbed = Sent(chunks), Sent([*chunks[:120], rogue, *chunks[120:]])
    assert [facts(due) for due in disturbed.due] == [facts(due) for due in undisturbed.due]
    assert disturbed.codes == ([] if code is None else [code])


@pytest.mark.parametrize("field", ["device", "leads", "gain"])
def test_one_chunk_of_another_device_changes_nothing(field: str) -> None:
    chunks = good(0, 60)
    rogue = {
        "device": replace(chunks[120], device="another"),
        "leads": replace(chunks[120], leads=("I", "II")),
        "gain": replace(chunks[120], gain=(100.0, 100.0)),
    }[field]
    undisturbed, disturbed = Sent(chunks), Sent([*chunks[:120], rogue, *chunks[120:]])
    assert [facts(due) for due in disturbed.due] == [facts(due) for due in undisturbed.due]
    assert disturbed.codes == ["other_device"]


@settings(max_examples=40, deadline=None)
@given(
    at=st.integers(1, 200),
    index=st.one_of(st.integers(-6_000, -1_600), st.integers(200, 10**15)),
    clock_s=st.one_of(st.none(), st.integers(-1_000_000_000, 1_000_000_000)),
    length=st.integers(1, 1_000),
)
def test_no_lone_chunk_whatever_it_claims_changes_what_is_judged(
    at: int, index: int, clock_s: int | None, length: int
) -> None:
    chunks = good(0, 60)
    start = max(0, chunks[at].start_index + index)
    # What lies among the samples at hand, by their clock, is a chunk that came twice, and counted as one.
    assume(clock_s is not None or index > 0 or start + length <= chunks[at].start_index - 1_600)
    clock_ns = (start - chunks[at].start_index) * 10_000_000 if clock_s is None else clock_s * S
    rogue = replace(
        moved(chunks[at], index=start - chunks[at].start_index, clock_ns=clock_ns),
        samples=signal(10, FS_HZ, 2, seed=9)[:length],
    )
    undisturbed, disturbed = Sent(chunks), Sent([*chunks[:at], rogue, *chunks[at:]])
    assert [facts(due) for due in disturbed.due] == [facts(due) for due in undisturbed.due]


BAD: st.SearchStrategy[dict[str, object]] = st.builds(
    dict,
    index=st.one_of(st.just(0), st.integers(-10_000, 10_000), st.just(10**12)),
    clock_ns=st.one_of(st.just(0), st.integers(-100 * S, 100 * S), st.just(DAYS_2 * S)),
    device=st.sampled_from(["test", "test", "other", "third"]),
)


@settings(max_examples=25, deadline=None)
@given(bad=st.lists(st.tuples(BAD, st.integers(1, 60)), min_size=1, max_size=5), same_clock=st.booleans())
def test_after_whatever_was_sent_good_ecg_is_judged_within_a_minute(
    bad: list[tuple[dict[str, object], int]], same_clock: bool
) -> None:
    sent = Sent(good(0, 20))
    at = 80
    for how, count in bad:
        for part in good(20, 20 + count / 4):
            index, clock_ns = int(str(how["index"])), int(str(how["clock_ns"]))
            index = max(index, -part.start_index)
            sent.send(replace(moved(part, index=index, clock_ns=clock_ns), device=str(how["device"])))
        at += count
    before = {(w.stream.start_ns, w.window) for w in sent.windows(start_ns=None)}
    # The device goes on where it would be by now, or was restarted.
    after = good(at / 4, at / 4 + 60) if same_clock else good(0, 60, base_ns=at * S // 4 + 500_000_000)
    sent.send(*after)
    judged = [
        w
        for w in sent.windows(start_ns=None)
        if (w.stream.start_ns, w.window) not in before and w.missing_samples == 0 and w.source.device == "test"
    ]
    samples = {part.samples.tobytes() for part in after}
    whole = [w for w in judged if w.segment[-25:, ::-1].tobytes() in samples]
    assert len(whole) >= 6
    ids = [(w.stream.start_ns, w.window) for w in sent.windows(start_ns=None)]
    assert len(ids) == len(set(ids))


def test_two_devices_under_one_id_are_both_judged_as_if_each_were_alone() -> None:
    one, other = good(0, 60), good(0, 60, seed=5, base_ns=7 * S, device="other")
    mixed = [part for pair in zip(one, other, strict=True) for part in pair]
    both = Sent(mixed, pace_ms=125)
    assert [facts(w) for w in both.windows()] == [facts(w) for w in Sent(one).windows()]
    assert [facts(w) for w in both.windows(start_ns=START_NS + 7 * S)] == [
        facts(w) for w in Sent(other).windows(start_ns=START_NS + 7 * S)
    ]
    assert both.codes == []


def test_two_devices_with_the_same_clock_have_ids_of_their_own() -> None:
    one, other = good(0, 60), good(0, 60, seed=5, device="other")
    both = Sent([part for pair in zip(one, other, strict=True) for part in pair], pace_ms=125)
    assert {(w.stream.start_ns - START_NS, w.source.device) for w in both.windows(start_ns=None)} == {
        (0, "test"),
        (1, "other"),
    }
    assert [w.missing_samples for w in both.windows(start_ns=None)] == [0] * 24


def test_a_restarted_device_begins_a_new_stream_and_nothing_of_the_old_is_lost() -> None:
    sent = Sent([*good(0, 13), *good(0, 20, base_ns=60 * S)])
    assert [(w.window, w.missing_samples) for w in sent.windows()] == [(0, 0), (1, 0), (2, 200)]
    restarted = sent.windows(start_ns=START_NS + 60 * S)
    assert [(w.window, w.missing_samples) for w in restarted] == [(0, 0), (1, 0), (2, 0), (3, 0)]
    assert sent.codes == []


def test_a_gap_that_the_clock_backs_moves_the_stream() -> None:
    sent = Sent([*good(0, 21), *good(7200, 7220)])
    assert [(w.window, w.gap_before_s) for w in sent.windows()][4:7] == [(4, 0), (1440, 7175.0), (1441, 0)]
    assert sent.codes == []


def test_an_index_jump_that_lasts_begins_a_new_stream() -> None:
    jumped = [moved(part, index=10**9) for part in good(20, 60)]
    sent = Sent([*good(0, 20), *jumped])
    (start,) = {w.stream.start_ns for w in sent.windows(start_ns=None)} - {START_NS}
    assert len(sent.windows(start_ns=start)) >= 7
    assert sent.codes == []


def test_a_clock_that_jumps_and_returns_is_told_by_its_absolute_jumps() -> None:
    wrong = [moved(part, clock_ns=DAYS_2 * S) for part in good(21, 23)]
    (window,) = [w for w in Sent([*good(0, 21), *wrong, *good(23, 40)]).windows() if w.window == 4]
    assert (window.clock_jump_ns, window.clock_jumps_abs_ns) == (0, 2 * DAYS_2 * S)


def test_what_was_stored_while_the_line_was_down_is_judged_beside_what_is_live() -> None:
    live, stored = good(100, 160), good(20, 100)
    mixed = [part for pair in zip(live, stored[:240], strict=False) for part in pair]
    sent = Sent([*good(0, 20), *live[:8], *mixed[16:], *stored[240:]], pace_ms=125)
    assert {w.window for w in sent.windows()} == {*range(4), *range(20, 32)}
    (later,) = {w.stream.start_ns for w in sent.windows(start_ns=None)} - {START_NS}
    assert {w.window for w in sent.windows(start_ns=later)} >= set(range(5, 19))
    assert sent.codes == []


def test_what_was_judged_and_comes_again_is_not_judged_again() -> None:
    again = good(0, 30)
    live = good(60, 120)
    sent = Sent(good(0, 60))
    sent.send(*[part for pair in zip(live, [*again, *again], strict=True) for part in pair])
    assert [w.window for w in sent.windows(start_ns=None)] == list(range(24))
    assert sent.codes == []


def test_a_device_whose_clock_starts_anew_with_it_is_judged_again() -> None:
    # Without a clock of its own: the same time and the same index after each start.
    sent = Sent([*good(0, 300), *good(0, 60, seed=3)])
    (start,) = {w.stream.start_ns for w in sent.windows(start_ns=None)} - {START_NS}
    assert len(sent.windows(start_ns=start)) >= 7


def test_a_fifth_device_is_refused_until_one_of_the_others_is_silent() -> None:
    devices = [good(0, 30, seed=n, base_ns=n * S, device=f"d{n}") for n in range(5)]
    sent = Sent([part for parts in zip(*devices, strict=True) for part in parts], pace_ms=50)
    assert {w.source.device for w in sent.windows(start_ns=None)} == {"d0", "d1", "d2", "d3"}
    assert "too_many_devices" in sent.codes
    fifth = good(30, 60, seed=4, base_ns=4 * S, device="d4")
    sent.pace_ms = 2_000
    sent.send(*fifth)
    assert "d4" in {w.source.device for w in sent.windows(start_ns=None)}


def test_the_other_stream_ends_with_what_it_had_when_it_is_silent_for_a_minute() -> None:
    one, other = good(0, 12), good(0, 90, seed=5, base_ns=7 * S, device="other")
    mixed = [part for pair in zip(one, other[:48], strict=True) for part in pair]
    sent = Sent([*mixed, *other[48:]])
    assert [(w.window, w.missing_samples) for w in sent.windows()] == [(0, 0), (1, 0), (2, 300)]
    assert len(sent.state._live["p"].streams.streams) == 1


HOSTILE: st.SearchStrategy[dict[str, object]] = st.builds(
    dict,
    index=st.integers(0, 10**6),
    clock_ns=st.integers(-(10**6), 10**6).map(lambda s: s * S),
    device=st.integers(0, 20).map(str),
    length=st.integers(1, 200),
)


@settings(max_examples=12, deadline=None)
@given(st.lists(HOSTILE, min_size=5, max_size=40), st.integers(1, 5))
def test_memory_is_bounded_whatever_comes(hostile: list[dict[str, object]], rounds: int) -> None:
    samples = signal(2, FS_HZ, 2)
    sent = Sent(good(0, 5))
    for _ in range(rounds):
        for how in hostile:
            part = chunk(samples, 0, int(str(how["length"])), fs_hz=FS_HZ)
            index, clock_ns = int(str(how["index"])), int(str(how["clock_ns"]))
            for more in range(3):
                sent.send(
                    replace(
                        moved(part, index=index + more * len(part.samples), clock_ns=clock_ns),
                        device=str(how["device"]),
                    )
                )
    patient = sent.state._live["p"].streams
    assert len(patient.streams) <= MAX_STREAMS
    assert len(patient.candidates) <= MAX_CANDIDATES
    assert all(len(candidate.held) <= MAX_HELD for candidate in patient.candidates)
    assert len(patient.given_out) <= STARTS_KEPT
    assert all(len(stream.anchors) < 50 for stream in patient.streams)
    for name, record in sent.state.changed():
        assert name == "p"
        assert len(record) < 200_000
    assert len(sent.state.partition_record()) < 200


@pytest.mark.parametrize("clock_ns", [DAYS_2 * S, -START_NS, -HOUR * S])
@pytest.mark.parametrize("chunks", [7, 16, 24, 40])
def test_a_clock_that_went_to_and_fro_with_every_chunk_keeps_no_window_from_being_judged(
    clock_ns: int, chunks: int
) -> None:
    """The good chunks between the others were a candidate that waited for the other clock's stream for ever."""
    whole = good(0, 100)
    first, flapping, mended = whole[:80], whole[80 : 80 + chunks], whole[80 + chunks :]
    sent = Sent([*first, *(moved(each, clock_ns=clock_ns * (n % 2 == 0)) for n, each in enumerate(flapping)), *mended])
    from_ns = mended[0].start_ns
    judged = {window.start_ns for window in sent.windows(start_ns=None) if not window.missing_samples}
    due = range(20 + chunks // 4 + 20, 95, 5)
    assert {START_NS + (second - second % 5) * S for second in due} <= judged
    assert from_ns < START_NS + due[0] * S
