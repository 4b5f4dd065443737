"""People's decisions on beats, as they stand after all that was sent."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bus import topics
from bus.beat_reviews import standing
from bus.interfaces import Received
from bus.messages import BeatReview


def review(t_ns: int, decision: Any, **changes: Any) -> BeatReview:
    fields = {"patient": "p1", "by": "Ada", "sent_ns": 0} | changes
    return BeatReview(t_ns=t_ns, decision=decision, beat_class="V" if decision == "reclass" else None, **fields)


def received(review: BeatReview, offset: int, key: str | None = None) -> Received:
    return Received(
        topic=topics.BEAT_REVIEWS,
        partition=0,
        offset=offset,
        timestamp_ms=0,
        key=(key or review.patient).encode(),
        value=review.to_bytes(),
    )


NS = 1_000_000_000
DECISIONS = st.sampled_from(["accept", "reject", "reclass", "withdraw"])


@given(
    sent=st.lists(st.tuples(st.integers(0, 5), st.integers(-499_999, 499_999), DECISIONS), max_size=20),
    again=st.integers(1, 3),
)
def test_the_last_on_each_beat_counts_however_often_it_is_sent(sent: list[tuple[int, int, str]], again: int) -> None:
    messages = [
        received(review(NS + beat * NS + off, decision), at)
        for at, (beat, off, decision) in enumerate(sent)
        for _ in range(again)
    ]
    last = {beat: decision for beat, _, decision in sent}
    expected = [(beat, last[beat]) for beat in sorted(last) if last[beat] != "withdraw"]
    found = standing(messages, "p1", 0, 10 * NS)
    assert [(round(one.t_ns / NS) - 1, one.decision) for one in found] == expected


def test_only_the_patient_and_the_stretch_are_taken() -> None:
    messages = [
        received(review(1 * NS, "accept"), 0),
        received(review(5 * NS, "accept"), 1),
        received(review(2 * NS, "accept", patient="p2"), 2),
        received(review(2 * NS, "accept", patient="p2"), 3, key="p1"),  # under a key that is not its patient's
        received(review(3 * NS, "accept"), 4)._replace(value=b"{}"),
    ]
    assert [one.t_ns for one in standing(messages, "p1", 0, 5 * NS)] == [NS]


def test_what_came_later_counts_though_a_topic_that_grew_has_it_in_another_partition() -> None:
    early = received(review(1, "accept"), 7)._replace(partition=0, timestamp_ms=1000)
    late = received(review(1, "reject"), 0)._replace(partition=5, timestamp_ms=2000)
    for messages in ([early, late], [late, early]):
        assert [one.decision for one in standing(messages, "p1", 0, 5)] == ["reject"]


@pytest.mark.parametrize(("decision", "beat_class"), [("reclass", None), ("accept", "N"), ("reject", "N")])
def test_a_class_stands_with_reclass_alone(decision: Any, beat_class: Any) -> None:
    with pytest.raises(ValidationError, match="reclass alone has one, and must"):
        BeatReview(patient="p1", t_ns=0, decision=decision, beat_class=beat_class, by="Ada", sent_ns=0)
