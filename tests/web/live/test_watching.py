import asyncio
import json
from collections import Counter

import pytest
from prometheus_client import CollectorRegistry

from tests.web.live.chunks import chunk
from web.live.frames import decode
from web.live.registry import PatientRegistry
from web.live.traces import Variant
from web.live.watching import MAX_WAITING, LiveClient, Watch, Watchers
from web.metrics import WebMetrics

ALL = Watch(None, Variant())


class Room:
    """Watchers of a ward whose samples come one after the other."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.metrics = WebMetrics(self.registry)
        self.watchers = Watchers(self.metrics)
        self.ward = PatientRegistry()
        self.at: Counter[str] = Counter()

    def client(self, watch: Watch) -> LiveClient:
        client = LiveClient(self.metrics)
        self.watch(client, watch)
        return client

    def watch(self, client: LiveClient, watch: Watch) -> None:
        wanted = self.ward.patients if watch.patients is None else watch.patients & self.ward.patients.keys()
        self.watchers.watch(client, watch, [self.ward.patients[patient] for patient in sorted(wanted)])

    def arrive(self, *patients: str) -> None:
        for patient in patients:
            arrived = self.ward.take_chunk(chunk(self.at[patient], 90, patient=patient), 1)
            assert arrived is not None
            self.at[patient] += 90
            self.watchers.arrived(arrived)

    def value(self, name: str) -> float:
        return self.registry.get_sample_value(f"ecgstream_web_{name}") or 0.0


async def received(client: LiveClient) -> list[str | tuple[str, int, int]]:
    """All that waits: what is told as it is, of frames the patient, the first index and the count."""
    found: list[str | tuple[str, int, int]] = []
    while client.waiting or client.dropped:
        message = await client.next()
        if isinstance(message, str):
            found.append(message)
        else:
            found += [(frame.patient, round(frame.start_index), len(frame.samples)) for frame in decode(message)]
    return found


async def test_what_came_together_is_one_message_and_the_same_bytes_for_all_that_watch_it() -> None:
    room = Room()
    one, other, alone = room.client(ALL), room.client(ALL), room.client(Watch(frozenset({"p2"}), Variant()))
    room.arrive("p1", "p2")
    room.arrive("p1")
    room.watchers.send()
    assert [len(client.waiting) for client in (one, other, alone)] == [1, 1, 1]
    assert one.waiting[0].message is other.waiting[0].message
    assert room.value("live_frames_total") == 3
    assert await received(one) == [("p1", 0, 90), ("p2", 0, 90), ("p1", 90, 90)]
    assert await received(alone) == [("p2", 0, 90)]
    room.watchers.send()
    assert not one.waiting


async def test_a_slow_client_loses_its_oldest_samples_is_told_and_holds_up_nobody() -> None:
    room = Room()
    slow, fast = room.client(ALL), room.client(ALL)
    rounds = MAX_WAITING + 3
    for number in range(rounds):
        room.arrive("p1", "p2")
        room.watchers.send()
        assert await received(fast) == [("p1", 90 * number, 90), ("p2", 90 * number, 90)]
    assert room.value("dropped_samples_total") == 2 * 3 * 90
    sent = await received(slow)
    assert sorted(json.loads(str(one))["patient"] for one in sent[:2]) == ["p1", "p2"]
    assert {json.loads(str(one))["samples"] for one in sent[:2]} == {3 * 90}
    assert sent[2:] == [(patient, 90 * number, 90) for number in range(3, rounds) for patient in ("p1", "p2")]
    room.arrive("p1")
    room.watchers.send()
    assert await received(slow) == [("p1", 90 * rounds, 90)]


async def test_large_messages_make_room_by_their_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("web.live.watching.MAX_WAITING_BYTES", 1000)
    room = Room()
    client = room.client(ALL)
    for _ in range(5):
        room.arrive("p1")
        room.watchers.send()
    assert len(client.waiting) == 2  # of 440 bytes each
    assert client.dropped == {"p1": 270}


@pytest.mark.parametrize("variant", [Variant(), Variant("first", 125.0)])
async def test_who_begins_to_watch_has_the_last_seconds_at_once_and_no_sample_twice(variant: Variant) -> None:
    room = Room()
    watch = Watch(frozenset({"p1"}), variant)
    before = room.client(watch)
    for _ in range(60):  # longer than what is kept
        room.arrive("p1", "p2")
        room.watchers.send()
        await received(before)
    room.arrive("p1")  # has not been sent yet
    late = room.client(watch)
    room.arrive("p1")
    room.watchers.send()
    seen = [one for one in await received(late) if isinstance(one, tuple)]
    assert [patient for patient, _, _ in seen] == ["p1", "p1"]
    (_, first, count), (_, then, _) = seen
    assert first + count == then
    assert count >= 12 * (360 if variant.fs_hz is None else 180)
    assert [one for one in await received(before) if isinstance(one, tuple)][-1] == seen[-1]


async def test_a_client_changes_what_it_watches_and_leaves() -> None:
    room = Room()
    client = room.client(Watch(frozenset({"p1"}), Variant()))
    room.arrive("p1", "p2")
    room.watchers.send()
    assert await received(client) == [("p1", 0, 90)]
    room.watch(client, Watch(frozenset({"p2"}), Variant("first")))
    assert await received(client) == [("p2", 0, 90)]
    room.arrive("p1", "p2")
    room.watchers.send()
    assert await received(client) == [("p2", 90, 90)]
    assert room.watchers.clients == 1
    room.watchers.leave(client)
    room.watchers.leave(client)
    room.arrive("p1", "p2")
    room.watchers.send()
    assert (room.watchers.clients, await received(client)) == (0, [])


async def test_who_comes_back_to_a_patient_nobody_watched_sees_no_hole() -> None:
    room = Room()
    thin = Watch(frozenset({"p1"}), Variant("first", 125.0))
    keeper = room.client(Watch(frozenset({"p2"}), thin.variant))
    client = room.client(thin)
    room.arrive("p1", "p2")
    room.watch(client, Watch(frozenset({"p2"}), Variant()))
    room.arrive("p1", "p2")
    await received(client)
    room.watch(client, thin)
    room.arrive("p1")
    room.watchers.send()
    seen = [one for one in await received(client) if isinstance(one, tuple) and one[0] == "p1"]
    assert [(first, first + count) for _, first, count in seen] == [(3, 87), (87, 132)]
    assert keeper.waiting


async def test_a_client_waits_until_something_comes() -> None:
    room = Room()
    client = room.client(ALL)
    waiting = asyncio.create_task(client.next())
    await asyncio.sleep(0)
    assert not waiting.done()
    room.arrive("p1")
    room.watchers.send()
    assert isinstance(await waiting, bytes)
