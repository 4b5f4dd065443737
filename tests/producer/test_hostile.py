"""Messages of hostile senders: the same for the same seed, bounded, and each what its kind says."""

import pytest

from bus.interfaces import Outgoing
from bus.samples import BadChunkError, Chunk, decode
from ecg.errors import EcgStreamError
from producer.hostile import FLOOD, KINDS, STRANGERS, Fault, Target
from producer.streams import Patient, cut
from tests.producer.records import record

TARGET = Target(topic="ecg.samples", partitions=4)
START_NS = 1_700_000_000_000_000_000
REFUSED = {"undecodable", "huge", "flood", "impossible"}
MISPLACED = {"wrong_partition", "no_key"}


def chunks() -> list[Chunk]:
    patient = Patient(id="p7", record=record(1_800))
    return list(cut(patient, chunk_ms=250, start_ns=START_NS))[4:]


def sent(kind: str, seed: int) -> list[list[Outgoing]]:
    fault = Fault(kind, str(seed), TARGET)
    return [fault.messages(chunk) for chunk in chunks()]


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_the_same_seed_brings_the_same_messages(kind: str) -> None:
    for seed in range(4):
        assert sent(kind, seed) == sent(kind, seed)
    assert len({repr(sent(kind, seed)) for seed in range(12)}) > 1


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_each_kind_does_what_it_says_and_no_more_than_it_may(kind: str) -> None:
    good = [TARGET.good(chunk) for chunk in chunks()]
    for seed in range(12):
        messages = [message for group in sent(kind, seed) for message in group]
        forged = [message for message in messages if message not in good]
        assert forged or kind == "again"
        assert sum(len(message.value or b"") for message in messages) < 3_000_000
        assert len(messages) <= max(FLOOD, STRANGERS * len(good)) + len(good)
        if kind in REFUSED:
            assert not any(is_chunk(message) for message in forged)
        if kind in MISPLACED:
            assert all(is_chunk(message) for message in forged)
            assert all(message.partition is not None for message in forged)


def is_chunk(message: Outgoing) -> bool:
    try:
        decode(message.value, key=message.key)
    except BadChunkError:
        return False
    return True


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(EcgStreamError, match="kind='rain' is not a fault of a sender: choose from undecodable"):
        Fault("rain", "0", TARGET)
