import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from bus.settings import KafkaSettings
from bus.testing import FakeClock
from tests.alerting.alerts import alert
from tests.alerting.verdicts import verdict
from web.live import broadcaster
from web.live.broadcaster import KINDS, AlarmEvent, Kind
from web.live.hub import Hub
from web.live.positions import PositionError, Positions, positions_of
from web.live.stream import event_stream
from web.metrics import WebMetrics

CLUSTER = "AbC-_123"


class Event(NamedTuple):
    """An event as a browser reads it."""

    kind: str
    data: object
    id: str | None


def events_in(text: bytes) -> list[Event]:
    found = []
    for block in text.decode().split("\r\n\r\n")[:-1]:
        fields = dict(line.split(": ", 1) for line in block.split("\r\n"))
        found.append(Event(fields["event"], json.loads(fields["data"]), fields.get("id")))
    return found


class Room(Hub):
    """A hub whose topic is a list."""

    def __init__(self, *, caught_up: bool = True) -> None:
        self.registry = CollectorRegistry()
        self.own_metrics = WebMetrics(self.registry)
        super().__init__(KafkaSettings(_env_file=None), self.own_metrics, FakeClock())
        self.events.positions.cluster = CLUSTER
        self.topic: list[AlarmEvent] = []
        self.read_back = 0
        if caught_up:
            self.catch_up()

    def catch_up(self) -> None:
        self._reached = True
        self._identified.set()
        for follower in self._followers:
            follower.caught_up.set()

    async def alarms_since(self, wanted: Mapping[int, int]) -> AsyncIterator[AlarmEvent]:
        self.read_back += 1
        for one in list(self.topic):
            if one.offset >= wanted.get(one.partition, one.offset + 1):
                yield one

    def alarm(self, patient: str = "p1", partition: int = 0) -> AlarmEvent:
        """Another message about an alarm."""
        offset = sum(one.partition == partition for one in self.topic)
        message = alert(id=f"{patient}/1/1/x", patient=patient, sequence=len(self.topic))
        sent = AlarmEvent(patient, partition, offset, message.model_dump_json())
        self.topic.append(sent)
        self.ward.take_alert(message, sent_ms=0)
        self.events.alarm(sent)
        return sent

    def listen(
        self, after: str | None = None, *, patient: str | None = None, kinds: frozenset[Kind] = KINDS
    ) -> AsyncIterator[bytes]:
        return event_stream(
            self, self.own_metrics, patient=patient, kinds=kinds, after=positions_of(after) if after else None
        )


def sequences(events: list[Event]) -> list[int]:
    return [one.data["sequence"] for one in events if one.kind == "alarm"]  # type: ignore[index] # an alarm is an object


async def test_hello_tells_how_everything_stands_and_alarms_follow_with_their_ids() -> None:
    room = Room()
    room.alarm("p1", 2)
    stream = room.listen()
    (hello,) = events_in(await anext(stream))
    assert (hello.kind, hello.id) == ("hello", f"{CLUSTER}:2-1")
    assert isinstance(hello.data, dict)
    assert (hello.data["kafka"], hello.data["resumed"]) == ("connected", False)
    assert [one["id"] for one in hello.data["alarms"]] == ["p1/1/1/x"]
    assert [one["patient"] for one in hello.data["patients"]] == ["p1"]
    assert await anext(stream) == b""
    room.alarm("p2", 0)
    room.alarm("p1", 2)
    sent = events_in(await anext(stream))
    assert [(one.kind, one.id) for one in sent] == [("alarm", f"{CLUSTER}:0-1.2-1"), ("alarm", f"{CLUSTER}:0-1.2-2")]
    assert sequences(sent) == [1, 2]


@settings(max_examples=60)
@given(st.data())
def test_a_browser_that_is_cut_off_at_any_moment_is_told_of_each_alarm_once(data: st.DataObject) -> None:
    async def life(monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(broadcaster, "KEPT_ALARMS", data.draw(st.integers(0, 6), label="kept"))
        room, last, seen = Room(), None, Counter[int]()
        stream = room.listen()
        first = len(room.topic)
        last = events_in(await anext(stream))[0].id
        for _ in range(data.draw(st.integers(1, 25), label="steps")):
            step = data.draw(st.sampled_from(["alarm", "alarm", "read", "cut", "hub restarts"]))
            if step == "alarm":
                room.alarm("p1", data.draw(st.integers(0, 2)))
            elif step == "read":
                room.events.say("tick", {})  # so that there is something to read
                room.events.flush()
                for event in events_in(await anext(stream)):
                    seen.update(sequences([event]))
                    last = event.id or last
            elif step == "cut":
                await stream.aclose()  # type: ignore[attr-defined] # it is a generator
                stream = room.listen(last)
            else:
                await stream.aclose()  # type: ignore[attr-defined] # it is a generator
                topic, room = room.topic, Room()
                for one in topic:
                    room.topic.append(one)
                    room.events.alarm(one)
                stream = room.listen(last)
        await stream.aclose()  # type: ignore[attr-defined] # it is a generator
        stream = room.listen(last)
        while len(seen) < len(room.topic) - first:
            async with asyncio.timeout(10):
                seen.update(sequences(events_in(await anext(stream))))
        await stream.aclose()  # type: ignore[attr-defined] # it is a generator
        assert seen == Counter(range(first, len(room.topic)))

    with pytest.MonkeyPatch.context() as monkeypatch:
        asyncio.run(life(monkeypatch))


async def test_who_was_away_long_is_told_from_kafka(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broadcaster, "KEPT_ALARMS", 20)
    room = Room()
    stream = room.listen()
    (hello,) = events_in(await anext(stream))
    await stream.aclose()  # type: ignore[attr-defined] # it is a generator
    for _ in range(broadcaster.KEPT_ALARMS + 1):
        room.alarm()
    back = room.listen(hello.id)
    (hello,) = events_in(await anext(back))
    assert isinstance(hello.data, dict)
    assert (hello.id, hello.data["resumed"]) == (None, True)
    sent: list[int] = []
    while len(sent) < broadcaster.KEPT_ALARMS + 1:
        sent += sequences(events_in(await anext(back)))
    assert (sent, room.read_back) == (list(range(broadcaster.KEPT_ALARMS + 1)), 1)


async def test_the_ids_of_another_kafka_count_for_nothing() -> None:
    room = Room()
    room.alarm()
    (hello,) = events_in(await anext(room.listen("another1:0-7")))
    assert isinstance(hello.data, dict)
    assert (hello.id, hello.data["resumed"]) == (f"{CLUSTER}:0-1", False)


async def test_a_client_too_slow_for_its_alarms_is_cut_off_and_goes_on_where_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(broadcaster, "MAX_ALARMS", 3)
    room = Room()
    stream, fast = room.listen(), room.listen()
    last = events_in(await anext(stream))[0].id
    for each in (stream, fast):
        while room.events.listeners and await anext(each) != b"":
            pass
    for number in range(4):
        room.alarm()
        assert sequences(events_in(await anext(fast))) == [number]
    with pytest.raises(StopAsyncIteration):
        await anext(stream)
    assert len(room.events.listeners) == 1
    assert room.registry.get_sample_value("ecgstream_web_listeners_cut_off_total") == 1
    back = room.listen(last)
    await anext(back)
    assert sequences(events_in(await anext(back))) == [0, 1, 2, 3]


async def test_other_events_make_room_for_newer_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broadcaster, "MAX_OTHERS", 2)
    room = Room()
    stream = room.listen()
    await anext(stream)
    await anext(stream)
    for number in range(3):
        room.events.say("status", {"number": number})
        room.events.flush()
    assert [one.data for one in events_in(await anext(stream))] == [{"number": 1}, {"number": 2}]
    assert room.registry.get_sample_value("ecgstream_web_dropped_events_total") == 1


async def test_a_browser_hears_what_it_asked_for() -> None:
    room = Room()
    everything, of_p2 = room.listen(), room.listen(patient="p2")
    alarms_only = room.listen(kinds=frozenset({"alarm"}))
    for stream in (everything, of_p2, alarms_only):
        await anext(stream)
        await anext(stream)
    for patient in ("p1", "p2"):
        room.alarm(patient)
        room.events.verdict(patient, verdict(0, "normal", patient=patient).to_bytes())
    room.events.changed(room.ward.changed_at(0))
    room.events.flush()

    async def heard(stream: AsyncIterator[bytes]) -> list[tuple[str, int]]:
        found = events_in(await anext(stream))
        return [(one.kind, len(one.data) if isinstance(one.data, list) else 1) for one in found]

    assert await heard(everything) == [("alarm", 1), ("alarm", 1), ("verdict", 1), ("verdict", 1), ("patients", 2)]
    assert await heard(of_p2) == [("alarm", 1), ("verdict", 1), ("patients", 1)]
    assert await heard(alarms_only) == [("alarm", 1), ("alarm", 1)]


async def test_before_all_is_known_the_line_is_told_and_nothing_else() -> None:
    room = Room(caught_up=False)
    stream = room.listen()
    assert events_in(await anext(stream)) == [Event("status", {"kafka": "waiting"}, None)]
    hello = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    room.alarm()
    assert not hello.done()
    room.catch_up()
    (sent,) = events_in(await hello)
    assert (sent.kind, sent.id) == ("hello", f"{CLUSTER}:0-1")


async def test_a_service_that_leaves_ends_all_streams() -> None:
    room, early = Room(), Room(caught_up=False)
    stream, waiting = room.listen(), early.listen()
    await anext(stream)
    await anext(stream)
    await anext(waiting)
    room.close()
    early.close()
    for each in (stream, waiting):
        with pytest.raises(StopAsyncIteration):
            await anext(each)
    assert not room.events.listeners


@given(st.dictionaries(st.integers(0, 999), st.integers(0, 10**17)))
def test_an_id_is_read_back_as_it_was_written(offsets: dict[int, int]) -> None:
    positions = Positions(CLUSTER, offsets)
    assert positions_of(str(positions)) == positions


@pytest.mark.parametrize("text", ["", "x", ":0-1", "c:0", "c:0-1.", "c:0-1-2", "c:-1-2", "c:0-" + "9" * 19, "c:0-1\n"])
def test_what_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(PositionError, match="send back the id of the last one"):
        positions_of(text)
