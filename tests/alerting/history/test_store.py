"""The store keeps every message once, whatever is redelivered and wherever it is cut off."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st
from sqlalchemy import Engine, event, text
from sqlalchemy.exc import DBAPIError

from alerting.database.engine import RefusedError
from alerting.history.store import AlarmStore, Entry, Place, PlaceLostError, Recorded
from tests.alerting.alerts import alert
from tests.alerting.history.entries import ALERTS, CLUSTER, COMMANDS, OTHERS, command, empty, entry, everything, stream

EVERYTHING = [each for entries in stream().values() for each in entries]
NOTHING = Recorded(events=0, actions=0, missing=0)


class CrashError(Exception):
    """The process ends here."""


def test_everything_is_kept_once_with_its_place(store: AlarmStore) -> None:
    assert store.places() == {}
    assert store.record(EVERYTHING) == Recorded(events=14, actions=3, missing=0)
    kept = everything(store)
    assert store.record(EVERYTHING) == NOTHING
    assert everything(store) == kept
    assert store.places() == {ALERTS: 17, OTHERS: 5, COMMANDS: 4}
    assert {(row[0], row[1]) for row in kept["alarms"]} == {("p1/a0", 2), ("p1/a1", 2), ("p1/a2", 2), ("p2/b", 4)}
    assert {row[:2] for row in kept["actions"]} == {("p1", "c1"), ("p1", "c2"), ("p2", "c1")}
    assert "Eve" not in {row[4] for row in kept["actions"]}, "the first of two commands of one id stands"


def test_another_cluster_has_places_of_its_own(store: AlarmStore) -> None:
    store.record(EVERYTHING)
    other = AlarmStore(store._url, cluster="cluster-2")
    assert other.places() == {}
    assert other.record(EVERYTHING) == NOTHING
    assert other.places() == store.places()
    other.close()


def test_what_is_neither_alert_nor_command_moves_the_place(store: AlarmStore) -> None:
    assert store.record([entry(ALERTS, 7, None)]) == NOTHING
    assert store.places() == {ALERTS: 8}


def test_messages_that_kafka_dropped_are_counted(store: AlarmStore) -> None:
    published = [entry(ALERTS, number, alert(sequence=number)) for number in (2, 3, 7)]
    assert store.record(published[:2]).missing == 2
    assert store.record(published[2:]).missing == 3


def test_an_older_copy_of_the_database_is_seen(store: AlarmStore) -> None:
    store.record(EVERYTHING[:6])
    restorer = AlarmStore(store._url, cluster=CLUSTER)
    restorer.begin_again([ALERTS])
    with pytest.raises(PlaceLostError, match=r"stands at offset 0 of ecg.alerts/0, it was at 11: .* read again"):
        store.record(EVERYTHING[6:9])
    assert store.places() == {}
    assert store.record(EVERYTHING) == Recorded(events=8, actions=3, missing=0)
    restorer.close()


def test_two_writers_of_one_database_write_everything_once(store: AlarmStore) -> None:
    rival = AlarmStore(store._url, cluster=CLUSTER)
    written = [0, 0]
    for number in range(0, len(EVERYTHING), 3):
        for place, writer in enumerate((store, rival) if number % 2 else (rival, store)):
            done = writer.record(EVERYTHING[number : number + 3 + place])
            written[place] += done.events + done.actions
    assert sum(written) == 17
    assert all(written)
    rival.close()


@pytest.mark.parametrize("table", ["alarm_events", "actions"])
@pytest.mark.parametrize("change", ["UPDATE {} SET patient = 'x'", "DELETE FROM {}", "TRUNCATE {}"])
def test_the_trail_cannot_be_changed(store: AlarmStore, table: str, change: str) -> None:
    if change.startswith("TRUNCATE") and store._engine.dialect.name == "sqlite":
        change = "DELETE FROM {} WHERE true"  # SQLite's truncation
    store.record(EVERYTHING)
    kept = everything(store)
    refused = pytest.raises(DBAPIError, match=f"{table} is append-only: {change.split(maxsplit=1)[0]} is refused")
    with refused, store._engine.begin() as connection:
        connection.execute(text(change.format(table)))
    assert everything(store) == kept


def test_a_row_of_the_trail_cannot_be_replaced(store: AlarmStore) -> None:
    if store._engine.dialect.name != "sqlite":
        pytest.skip("INSERT OR REPLACE is SQLite's")
    store.record(EVERYTHING)
    kept = everything(store)
    with store._engine.begin() as connection:
        connection.execute(
            text(
                "INSERT OR REPLACE INTO actions (patient, id, action, by, sent_ns, published_ns) "
                "VALUES ('p1', 'c1', 'acknowledge', 'Eve', 0, 0)"
            )
        )
    assert everything(store) == kept


def test_a_row_that_no_database_takes_is_told_apart_and_takes_nothing_with_it(store: AlarmStore) -> None:
    bad = entry(ALERTS, 1, alert(sequence=1, told_ns=2**70))
    with pytest.raises(RefusedError, match="refuses a row"):
        store.record([entry(ALERTS, 0, alert()), bad])
    assert store.places() == {}
    assert everything(store)["alarm_events"] == set()


def test_no_command_escapes_the_trail_by_odd_values(store: AlarmStore) -> None:
    odd = [command(1, by="A\0da"), command(2, sent_ns=10**30), command(3, sent_ns=-(10**30), by="O'Brien; DROP TABLE")]
    assert store.record([entry(COMMANDS, at, each) for at, each in enumerate(odd)]).actions == 3
    kept = {row[1]: row for row in everything(store)["actions"]}
    assert kept["c1"][4] == "A\ufffdda"
    assert kept["c2"][6] == 2**63 - 1
    assert kept["c3"][4] == "O'Brien; DROP TABLE"


@st.composite
def deliveries(draw: st.DrawFn) -> list[list[Entry] | Place]:
    """Batches of several partitions, each read on from anywhere before its end, at last up to the ends."""
    partitions = stream()
    reached = dict.fromkeys(partitions, 0)
    steps: list[list[Entry] | Place] = []
    for _ in range(draw(st.integers(0, 6))):
        if draw(st.integers(0, 9)) == 0:
            place = draw(st.sampled_from(list(partitions)))
            reached[place] = 0
            steps.append(place)
        batch: list[Entry] = []
        for place in draw(st.permutations(list(partitions))):
            begin = draw(st.integers(0, reached[place]))
            end = draw(st.integers(begin, len(partitions[place])))
            reached[place] = max(reached[place], end)
            batch += partitions[place][begin:end]
        steps.append(batch)
    return [*steps, EVERYTHING]


def test_any_redelivery_leaves_the_same_history(store: AlarmStore) -> None:
    store.record(EVERYTHING)
    expected = everything(store)

    @hypothesis.settings(max_examples=25 if store._engine.dialect.name == "sqlite" else 8)
    @hypothesis.given(steps=deliveries())
    def check(steps: list[list[Entry] | Place]) -> None:
        empty(store)
        for step in steps:
            if isinstance(step, Place):
                store.begin_again([step])
            else:
                store.record(step)
        assert everything(store) == expected

    check()


@contextmanager
def crashing_at(engine: Engine, number: int) -> Iterator[list[str]]:
    """Raise before the ``number``-th statement, the commit being the last."""
    said: list[str] = []

    def count(what: str) -> None:
        said.append(what)
        if len(said) > number:
            raise CrashError

    def before(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        count(statement)

    def commit(_: Any) -> None:
        count("COMMIT")

    event.listen(engine, "before_cursor_execute", before)
    event.listen(engine, "commit", commit)
    try:
        yield said
    finally:
        event.remove(engine, "before_cursor_execute", before)
        event.remove(engine, "commit", commit)


def test_a_crash_between_any_two_statements_loses_and_doubles_nothing(store: AlarmStore) -> None:
    half = EVERYTHING[: len(EVERYTHING) // 2]
    store.record(half)
    before = everything(store)
    crashes = 0
    while True:
        with crashing_at(store._engine, crashes) as said:
            try:
                store.record(EVERYTHING)
                break
            except CrashError:
                crashes += 1
        assert everything(store) == before, f"half a transaction stayed behind: {said}"
    assert said[-1] == "COMMIT"
    assert crashes == len(said) > 8
    after = everything(store)
    empty(store)
    store.record(EVERYTHING)
    assert everything(store) == after
