"""Every metric of alerting. No patient id is a label: there is no end to them."""

from collections import Counter as Tally
from itertools import product
from typing import get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from bus.messages import AlarmKind
from ecg.urgency import PRIORITIES, AlarmPriority

_LOOP_LAG_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0)
_DELAY_S = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 600.0, 3600.0)


class AlertingMetrics:
    """Alerting's metrics on one registry.

    Alerts and transactions are counted when they are committed; verdicts and dead letters when they are processed,
    so that those which a crash kept from being committed are counted again.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, meaning: str, labels: tuple[str, ...] = ()) -> Counter:
            return Counter(f"ecgstream_alerting_{name}", meaning, labels, registry=registry)

        def gauge(name: str, meaning: str, labels: tuple[str, ...] = ()) -> Gauge:
            return Gauge(f"ecgstream_alerting_{name}", meaning, labels, registry=registry)

        def histogram(name: str, meaning: str, bounds: tuple[float, ...], labels: tuple[str, ...] = ()) -> Histogram:
            return Histogram(f"ecgstream_alerting_{name}", meaning, labels, buckets=bounds, registry=registry)

        self.verdicts = counter("verdicts", "Verdicts judged, by decision", ("decision",))
        self.alerts = counter(
            "alerts", "Alert messages; those of phase start count the alerts", ("kind", "priority", "phase")
        )
        self.dead_letters = counter(
            "dead_letters",
            "Dead letters written, by why: messages that could not be decoded, and commands that were refused",
            ("code",),
        )
        self.refused_messages = counter("refused_messages", "Messages that were refused, by why", ("code",))
        self.quarantined_senders = gauge(
            "quarantined_senders", "Keys of which nothing but bad messages come: these are only counted"
        )
        self.transactions = counter("transactions", "Transactions committed")
        self.rebalances = counter("rebalances", "Times that the group dealt the partitions anew, but the first")
        self.commit_failures = counter("commit_failures", "Transactions that were not committed, and done again")
        self.input_expired = counter("input_expired", "Verdicts that Kafka deleted before they were read")
        self.open_alerts = gauge("open_alerts", "Alerts that have started and not ended", ("kind", "priority"))
        self.patients = gauge("patients", "Patients that are followed")
        self.patients_limit = gauge("patients_limit", "Patients that these partitions may follow; more are refused")
        self.ended_alerts = gauge("ended_alerts", "Alerts that have ended and are still on the topic")
        self.removed_alerts = counter("removed_alerts", "Alerts that have ended and were taken off the topic")
        self.partitions = gauge("partitions", "Input partitions processed now")
        self.partitions_assigned = gauge("partitions_assigned", "Input partitions that the group gave this instance")
        self.partitions_existing = gauge("partitions_existing", "Partitions that the input topic has")
        self.lag_messages = gauge("lag_messages", "Verdicts that wait in these partitions")
        self.loop_lag_seconds = histogram(
            "loop_lag_seconds", "How late the event loop wakes: heartbeats depend on it", _LOOP_LAG_S
        )
        self.history_events = counter("history_events", "Alert messages written to the alarm history")
        self.history_actions = counter("history_actions", "Commands written to the alarm history")
        self.history_missing = counter(
            "history_missing", "Alert messages that Kafka had dropped before the alarm history had them"
        )
        self.history_unreadable = counter(
            "history_unreadable", "Messages that the alarm history passed over: undecodable, or refused by the database"
        )
        self.history_failures = counter("history_failures", "Attempts to write the alarm history that failed")
        self.history_failing_seconds = gauge(
            "history_failing_seconds", "For how long the alarm history could not be written; 0 while it can"
        )
        self.history_delay_seconds = histogram("history_delay_seconds", "From Kafka to the alarm history", _DELAY_S)
        self.strips = counter("strips", 'Strips of alarms: "kept", or "none" for want of samples', ("outcome",))
        channel = ("channel",)
        self.deliveries = counter(
            "deliveries",
            'Messages over a channel: "done", "failed" (an attempt; it is tried again), "dead" (given up)',
            ("channel", "outcome"),
        )
        self.delivery_waiting = gauge("delivery_waiting", "Messages that wait for a channel", channel)
        self.delivery_dead = gauge("delivery_dead", "Messages that were given up, and nobody has looked after", channel)
        self.delivery_oldest_seconds = gauge(
            "delivery_oldest_seconds",
            "How long the oldest message has waited for a channel; 0 when none does",
            channel,
        )
        self.delivery_seconds = histogram("delivery_seconds", "From Kafka to the receiver", _DELAY_S, channel)
        # Shown as 0 from the start on, so that a rate sees the first of each.
        for outcome in ("kept", "none"):
            self.strips.labels(outcome=outcome)
        self.set_open(Tally())
        for code in ("undecodable", "no_key", "wrong_key", "wrong_partition", "too_many_patients", "command"):
            self.refused_messages.labels(code=code)
            self.dead_letters.labels(code=code)
        for decision in ("normal", "abnormal", "unusable"):
            self.verdicts.labels(decision=decision)

    def declare_channel(self, channel: str) -> None:
        """Show a channel's counters from its start on."""
        for outcome in ("done", "failed", "dead"):
            self.deliveries.labels(channel=channel, outcome=outcome)

    def set_open(self, counts: Tally[tuple[AlarmKind, AlarmPriority]]) -> None:
        """Set how many alarms are open, by kind and priority."""
        for kind, priority in product(get_args(AlarmKind), PRIORITIES):
            self.open_alerts.labels(kind=kind, priority=priority).set(counts[kind, priority])
