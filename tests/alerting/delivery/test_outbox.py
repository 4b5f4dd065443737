"""The outbox of a channel: in with its message, out once, in order, at its pace."""

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import URL

from alerting.delivery.channels import Channels
from alerting.delivery.outbox import KEPT_S, LEASE_MARGIN_S, Outbox
from alerting.delivery.review import Chosen, listed, revive, tally
from alerting.delivery.sending import Delivery
from tests.alerting.delivery.boxes import NOW_NS, S, alert_message, filled, outbox, rows, webhook

ALL = webhook()


@pytest.fixture
def boxes() -> Iterator[dict[str, Outbox]]:
    """Opened outboxes by name, to be closed."""
    opened: dict[str, Outbox] = {}
    yield opened
    for each in opened.values():
        each.close()


def claimed(box: Outbox, now_ns: int = NOW_NS) -> Delivery:
    """The next delivery, which there is."""
    delivery = box.claim(now_ns).delivery
    assert delivery is not None
    return delivery


def sent(box: Outbox, now_ns: int = NOW_NS) -> list[tuple[str, int]]:
    """Send all that is due; in which order."""
    order = []
    while (delivery := box.claim(now_ns).delivery) is not None:
        order.append((delivery.alarm, delivery.sequence))
        box.delivered(delivery, now_ns)
    return order


def test_each_channel_gets_the_messages_that_it_takes_once(url: URL, boxes: dict[str, Outbox]) -> None:
    channels: Channels = {
        "all": ALL,
        "urgent": webhook(min_priority="medium"),
        "starts": webhook(phases=["start"]),
        "signal": webhook(kinds=["technical"]),
    }
    messages = [
        alert_message("a"),
        alert_message("a", 1, phase="end", state="inactive"),
        alert_message("b", priority="high"),
        alert_message("c", kind="technical", priority="information"),
    ]
    filled(url, channels, messages)
    filled(url, channels, messages)  # another instance reads them, too
    found: dict[str, list[tuple[str, int]]] = {}
    for name, alarm, sequence in sorted(rows(url)):
        found.setdefault(name, []).append((alarm, sequence))
    assert found == {
        "all": [("p1/a", 0), ("p1/a", 1), ("p1/b", 0), ("p1/c", 0)],
        "urgent": [("p1/b", 0)],
        "starts": [("p1/a", 0), ("p1/b", 0), ("p1/c", 0)],
        "signal": [("p1/c", 0)],
    }
    boxes["all"] = outbox(url, ALL, name="all")
    assert sorted(sent(boxes["all"])) == found["all"]
    assert boxes["all"].claim(NOW_NS).delivery is None
    assert {row.state for row in rows(url).values() if row.channel == "all"} == {"done"}


def test_the_most_urgent_goes_first_and_an_alarm_stays_in_order(url: URL, boxes: dict[str, Outbox]) -> None:
    order = [
        alert_message("a"),
        alert_message("b", priority="medium"),
        alert_message("a", 1),
        alert_message("c", priority="high"),
        alert_message("a", 2, phase="escalate", priority="high"),
    ]
    filled(url, {"x": ALL}, order[:4])
    filled(url, {"x": ALL}, order[4:])
    boxes["x"] = outbox(url, ALL)
    assert sent(boxes["x"]) == [("p1/a", 0), ("p1/a", 1), ("p1/c", 0), ("p1/a", 2), ("p1/b", 0)]


def test_what_failed_waits_alone_while_its_alarm_waits_for_it(url: URL, boxes: dict[str, Outbox]) -> None:
    filled(url, {"x": ALL}, [alert_message("a"), alert_message("a", 1), alert_message("b")])
    boxes["x"] = box = outbox(url, ALL)
    first = claimed(box)
    assert not box.failed(first, "500", now_ns=NOW_NS, next_try_ns=NOW_NS + S, down=False)
    assert sent(box) == [("p1/b", 0)]
    assert box.claim(NOW_NS).until_ns == NOW_NS + S
    again = claimed(box, NOW_NS + S)
    assert (again.alarm, again.sequence, again.attempts, again.key) == ("p1/a", 0, 2, first.key)
    box.delivered(again, NOW_NS + S)
    assert sent(box, NOW_NS + S) == [("p1/a", 1)]


def test_a_channel_that_is_down_is_left_alone_whoever_works_it(url: URL, boxes: dict[str, Outbox]) -> None:
    filled(url, {"x": ALL}, [alert_message("a"), alert_message("b")])
    boxes["x"], boxes["rival"] = outbox(url, ALL), outbox(url, ALL, holder="b")
    box, rival = boxes["x"], boxes["rival"]
    box.failed(claimed(box), "refused", now_ns=NOW_NS, next_try_ns=NOW_NS + S, down=True)
    for each in (box, rival):
        claim = each.claim(NOW_NS + S - 1)
        assert (claim.delivery, claim.until_ns) == (None, NOW_NS + S)
    claim = rival.claim(NOW_NS + S)
    assert claim.delivery is not None
    assert claim.failures == 1, "a restart, or another process, does not forget it"
    rival.delivered(claim.delivery, NOW_NS + S)
    assert box.claim(NOW_NS + S).failures == 0


def test_many_failures_in_a_row_close_the_channel_whatever_they_are(url: URL, boxes: dict[str, Outbox]) -> None:
    filled(url, {"x": ALL}, [alert_message(str(number)) for number in range(9)])
    boxes["x"] = box = outbox(url, ALL)
    tried = 0
    while (delivery := box.claim(NOW_NS).delivery) is not None:
        box.failed(delivery, "500", now_ns=NOW_NS, next_try_ns=NOW_NS + S, down=False)
        tried += 1
    assert tried == 3


def test_one_at_a_time_sends_and_a_crash_frees_the_channel(url: URL, boxes: dict[str, Outbox]) -> None:
    filled(url, {"x": ALL}, [alert_message("a"), alert_message("b")])
    boxes["x"], boxes["rival"] = outbox(url, ALL), outbox(url, ALL, holder="b")
    taken = claimed(boxes["x"])
    lease_ns = round((ALL.timeout_s + LEASE_MARGIN_S) * S)
    claim = boxes["rival"].claim(NOW_NS + 1)
    assert (claim.delivery, claim.until_ns) == (None, NOW_NS + lease_ns)
    same = claimed(boxes["x"], NOW_NS + 1)
    assert (same.key, same.attempts) == (taken.key, 2), "a restarted instance of that name goes on at once"
    late = claimed(boxes["rival"], NOW_NS + 2 + lease_ns)
    assert late.key == taken.key
    boxes["rival"].delivered(late, NOW_NS + 2 + lease_ns)
    boxes["x"].delivered(same, NOW_NS + 2 + lease_ns)  # it was not dead, but slow
    assert sent(boxes["x"], NOW_NS + 3 + lease_ns) == [("p1/b", 0)]


def test_two_who_take_turns_deliver_each_message_once(url: URL, boxes: dict[str, Outbox]) -> None:
    seeded = random.Random(3)
    messages = [alert_message(str(number % 4), number // 4) for number in range(24)]
    filled(url, {"x": ALL}, messages)
    boxes |= {"x": outbox(url, ALL), "rival": outbox(url, ALL, holder="b")}
    order: list[tuple[str, int]] = []
    under_way: dict[str, Delivery] = {}
    while len(order) < len(messages):
        name = seeded.choice(("x", "rival"))
        if name in under_way:
            delivery = under_way.pop(name)
            boxes[name].delivered(delivery, NOW_NS)
            order.append((delivery.alarm, delivery.sequence))
        elif (taken := boxes[name].claim(NOW_NS).delivery) is not None:
            assert not under_way, "nobody takes while another sends"
            under_way[name] = taken
    assert sorted(order) == sorted((message.id, message.sequence) for message in messages)
    for alarm in {alarm for alarm, _ in order}:
        assert [sequence for which, sequence in order if which == alarm] == list(range(6))


def test_many_at_once_deliver_each_message_once(url: URL, boxes: dict[str, Outbox]) -> None:
    messages = [alert_message(str(number % 4), number // 4) for number in range(40)]
    filled(url, {"x": ALL}, messages)
    boxes |= {holder: outbox(url, ALL, holder=holder) for holder in "abc"}
    order: list[tuple[str, int]] = []

    def work(holder: str) -> None:
        while len(order) < len(messages):
            if (delivery := boxes[holder].claim(NOW_NS).delivery) is not None:
                order.append((delivery.alarm, delivery.sequence))
                boxes[holder].delivered(delivery, NOW_NS)

    with ThreadPoolExecutor(3) as threads:
        list(threads.map(work, boxes))
    assert sorted(order) == sorted((message.id, message.sequence) for message in messages)
    for alarm in {alarm for alarm, _ in order}:
        assert [sequence for which, sequence in order if which == alarm] == list(range(10))


def test_the_rate_limit_holds_over_restarts_and_keeps_the_order(url: URL, boxes: dict[str, Outbox]) -> None:
    slow = webhook(per_minute=3)
    filled(url, {"x": slow}, [alert_message(str(number)) for number in range(9)])
    order, times = [], []
    now_ns = NOW_NS
    for life in range(9):
        boxes[str(life)] = box = outbox(url, slow)
        while (claim := box.claim(now_ns)).delivery is None:
            assert claim.until_ns is not None
            assert claim.until_ns > now_ns
            now_ns = claim.until_ns
        order.append(claim.delivery.alarm)
        times.append((now_ns - NOW_NS) / S)
        box.delivered(claim.delivery, now_ns)
    assert order == [f"p1/{number}" for number in range(9)]
    assert times == pytest.approx([0, 0, 0, 20, 40, 60, 80, 100, 120], abs=0.001)


def test_what_is_too_old_is_dead_and_can_be_sent_all_the_same(url: URL, boxes: dict[str, Outbox]) -> None:
    channel = webhook(give_up_s=60)
    filled(url, {"x": channel}, [alert_message("a"), alert_message("b")], published_ns=NOW_NS - 61 * S)
    filled(url, {"x": channel}, [alert_message("c")])
    boxes["x"] = box = outbox(url, channel)
    claim = box.claim(NOW_NS)
    assert claim.expired == 2
    assert claim.delivery is not None
    box.delivered(claim.delivery, NOW_NS)
    backlog = box.backlog()
    assert (backlog.waiting, backlog.dead, backlog.oldest_ns) == (0, 2, None)
    assert tally(url) == {"x": {"waiting": 0, "done": 1, "dead": 2}}
    dead = listed(url, Chosen(state="dead"), limit=10)
    assert [(row["alarm"], row["error"]) for row in dead] == [
        ("p1/b", "not delivered within 60 s"),
        ("p1/a", "not delivered within 60 s"),
    ]
    assert revive(url, Chosen(alarm="p1/a"), now_ns=NOW_NS) == 1
    assert revive(url, Chosen(channel="other"), now_ns=NOW_NS) == 0
    assert sent(box) == [("p1/a", 0)]
    assert revive(url, Chosen(), now_ns=NOW_NS) == 1
    assert box.backlog().oldest_ns == NOW_NS


def test_what_was_tried_often_enough_is_dead(url: URL, boxes: dict[str, Outbox]) -> None:
    channel = webhook(give_up_attempts=2)
    filled(url, {"x": channel}, [alert_message("a"), alert_message("a", 1)])
    boxes["x"] = box = outbox(url, channel)
    assert not box.failed(claimed(box), "500", now_ns=NOW_NS, next_try_ns=NOW_NS, down=False)
    assert box.failed(claimed(box), "500", now_ns=NOW_NS, next_try_ns=NOW_NS, down=False)
    assert rows(url)["x", "p1/a", 0].error == "tried 2 times: 500"
    assert sent(box) == [("p1/a", 1)], "the next one does not wait for it for ever"


def test_a_wall_clock_that_is_set_back_holds_nothing_up(url: URL, boxes: dict[str, Outbox]) -> None:
    day_ns = 86_400 * S
    patient = webhook(give_up_s=10 * 86_400)
    filled(url, {"x": patient}, [alert_message("a"), alert_message("b")])
    boxes["x"], boxes["rival"] = outbox(url, patient), outbox(url, patient, holder="b")
    box = boxes["x"]
    box.failed(claimed(box, NOW_NS + day_ns), "500", now_ns=NOW_NS + day_ns, next_try_ns=NOW_NS + day_ns + S, down=True)
    claimed(box, NOW_NS + day_ns + S)
    assert len(sent(boxes["rival"])) == 2


def test_what_was_delivered_long_ago_is_forgotten_and_what_is_dead_is_not(url: URL, boxes: dict[str, Outbox]) -> None:
    filled(url, {"x": ALL}, [alert_message("a"), alert_message("b"), alert_message("c")])
    boxes["x"] = box = outbox(url, ALL)
    box.delivered(claimed(box), NOW_NS)
    box.refused(claimed(box), NOW_NS, "422")
    kept_ns = round(KEPT_S * S)
    assert box.purge(NOW_NS + kept_ns) == 0
    assert box.purge(NOW_NS + kept_ns + 1) == 1
    assert {row.state for row in rows(url).values()} == {"dead", "waiting"}
    # The history still knows the message: read again, it is not delivered again.
    filled(url, {"x": ALL}, [alert_message("a")])
    assert ("x", "p1/a", 0) not in rows(url)


def test_a_key_is_one_message_over_one_channel(url: URL) -> None:
    filled(url, {"x": ALL, "y": ALL}, [alert_message("a"), alert_message("a", 1)])
    keys = set()
    for name in ("x", "y"):
        box = outbox(url, ALL, name=name)
        for _ in range(2):
            delivery = claimed(box)
            assert "p1" not in delivery.key
            keys.add(delivery.key)
            box.delivered(delivery, NOW_NS)
        box.close()
    assert len(keys) == 4


def test_without_channels_nothing_waits(url: URL) -> None:
    filled(url, {}, [alert_message("a")])
    assert rows(url) == {}
