import json
from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from bus.dead_letters import Refusal
from bus.interfaces import Outgoing, Received
from bus.messages import DeadLetter
from bus.quarantine import FORGOTTEN_MS, LETTER_EVERY_MS, MAX_SENDERS, QUARANTINED_AFTER, Quarantine

BAD = Refusal(code="undecodable", reason="no Avro")


def new() -> Quarantine:
    return Quarantine(topic="ecg.dead-letters", service="detector")


def message(offset: int, *, key: bytes | None = b"p1", at_ms: int = 0) -> Received:
    return Received(topic="ecg.samples", partition=0, offset=offset, timestamp_ms=at_ms, key=key, value=b"bad")


def read(sent: Sequence[Outgoing]) -> list[DeadLetter]:
    return [DeadLetter.model_validate_json(each.value or b"") for each in sent]


def flood(quarantine: Quarantine, count: int, *, key: bytes | None = b"p1", step_ms: int = 1) -> list[DeadLetter]:
    return read([out for n in range(count) for out in quarantine.bad(message(n, key=key, at_ms=n * step_ms), BAD)])


def test_the_first_are_told_one_by_one_and_then_they_are_counted() -> None:
    quarantine = new()
    letters = flood(quarantine, 3_000, step_ms=10)
    assert [letter.offset for letter in letters[:QUARANTINED_AFTER]] == list(range(QUARANTINED_AFTER))
    assert quarantine.quarantined == 1
    summaries = letters[QUARANTINED_AFTER:]
    assert len(summaries) == 30_000 // LETTER_EVERY_MS - 1
    assert summaries[0].first_offset == QUARANTINED_AFTER
    assert summaries[0].count == LETTER_EVERY_MS // 10 - 1
    assert summaries[0].value_base64 is None
    assert (summaries[0].code, summaries[0].patient, summaries[0].reason) == ("undecodable", "p1", "no Avro")
    counted = sum(letter.count for letter in letters)
    (last,) = read(quarantine.good(message(3_000, at_ms=30_000)))
    assert counted + last.count == 3_000
    assert quarantine.quarantined == 0


def test_one_good_message_makes_the_next_bad_one_be_told_again() -> None:
    quarantine = new()
    flood(quarantine, 500)
    quarantine.good(message(500, at_ms=500))
    assert len(quarantine.bad(message(501, at_ms=501), BAD)) == 1


def test_another_sender_ends_nobodys_quarantine_and_lets_it_be_told() -> None:
    quarantine = new()
    flood(quarantine, 500)
    assert quarantine.good(message(500, key=b"p2", at_ms=500)) == []
    (letter,) = read(quarantine.good(message(501, key=b"p2", at_ms=500 + LETTER_EVERY_MS)))
    assert letter.count == 500 - QUARANTINED_AFTER
    assert quarantine.quarantined == 1


def test_a_sender_that_stopped_is_forgotten_when_all_is_told() -> None:
    quarantine = new()
    letters = flood(quarantine, 500)
    letters += read(quarantine.passed(500 + FORGOTTEN_MS))
    assert sum(letter.count for letter in letters) == 500
    assert quarantine.quarantined == 0
    assert quarantine.dump() == []


@dataclass(frozen=True)
class Came:
    bad: bool
    key: int
    after_ms: int


CAME = st.lists(st.builds(Came, st.integers(0, 9).map(bool), st.integers(0, 2), st.integers(0, 3_000)), max_size=200)


@given(came=CAME, crashes=st.sets(st.integers(0, 199), max_size=4))
def test_every_bad_message_is_told_once_whatever_crashes(came: list[Came], crashes: set[int]) -> None:
    straight, restarted = new(), new()
    expected: list[DeadLetter] = []
    found: list[DeadLetter] = []
    now_ms = 0
    for offset, each in enumerate(came):
        now_ms += each.after_ms
        key = None if each.key == 0 else f"p{each.key}".encode()
        here = message(offset, key=key, at_ms=now_ms)
        expected += read(straight.bad(here, BAD) if each.bad else straight.good(here))
        found += read(restarted.bad(here, BAD) if each.bad else restarted.good(here))
        if offset in crashes:  # right after the commit
            kept = json.loads(json.dumps(restarted.dump()))
            restarted = new()
            restarted.load(kept)
    end = read(straight.passed(now_ms + FORGOTTEN_MS))
    assert found + read(restarted.passed(now_ms + FORGOTTEN_MS)) == expected + end
    assert sum(letter.count for letter in expected + end) == sum(each.bad for each in came)


@given(st.lists(st.binary(max_size=200), min_size=1, max_size=60), st.integers(1, 4))
def test_senders_without_end_take_bounded_memory_and_letters(keys: list[bytes], rounds: int) -> None:
    quarantine = new()
    for offset in range(rounds * 40):
        quarantine.bad(message(offset, key=keys[offset % len(keys)]), BAD)
    assert len(quarantine.dump()) <= MAX_SENDERS + 1
    for number in range(5_000):
        quarantine.bad(message(number, key=str(number).encode() * 40), BAD)
    assert len(quarantine.dump()) <= MAX_SENDERS + 1
    assert len(json.dumps(quarantine.dump())) < 40_000
    assert quarantine.bad(message(1, key=b"one more"), BAD) == []
