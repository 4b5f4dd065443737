"""Kafka, as the services see it: lag, partitions, transactions, refusals. The brokers' own metrics are not scraped."""

from collections.abc import Mapping

from monitoring.grafana.panels import Board, Graph, Number, per_second

_GROUPS = ("detector", "alerting")


def _both(query: str) -> Mapping[str, str]:
    """Return a query for both consumer groups, by name."""
    return {group: query.replace("GROUP", f"ecgstream_{group}") for group in _GROUPS}


BOARD = Board(
    name="kafka",
    title="Kafka",
    about="Topics, consumer groups and transactions, as the services see them.",
    rows={
        "Now": [
            *(
                Number(
                    title=f"{group}: unwatched partitions",
                    about="Partitions that there are and that nobody processes: more than 0 for a minute is an alert.",
                    expr=f"max(ecgstream_{group}_partitions_existing) - sum(ecgstream_{group}_partitions)",
                )
                for group in _GROUPS
            ),
            Number(
                title="Chunks waiting", about="Messages of ecg.samples.", expr="sum(ecgstream_detector_lag_messages)"
            ),
            Number(
                title="ECG waiting",
                about="Seconds of each patient's ECG that wait in the partition that is furthest behind.",
                expr="max(ecgstream_detector_lag_seconds)",
                unit="s",
            ),
            Number(
                title="Verdicts waiting",
                about="Messages of ecg.windows.",
                expr="sum(ecgstream_alerting_lag_messages)",
            ),
            Number(
                title="Deleted unread",
                about="Messages that Kafka deleted before they were read, in an hour.",
                expr="sum(ecgstream:input_lost:increase_1h)",
            ),
        ],
        "Consumer groups": [
            Graph(
                title="Partitions of the detectors",
                about="Processed by each instance, and how many there are.",
                lines={
                    "{{instance}}": "sum by (instance) (ecgstream_detector_partitions)",
                    "there are": "max(ecgstream_detector_partitions_existing)",
                },
            ),
            Graph(
                title="Partitions of alerting",
                about="Processed by each instance, and how many there are.",
                lines={
                    "{{instance}}": "sum by (instance) (ecgstream_alerting_partitions)",
                    "there are": "max(ecgstream_alerting_partitions_existing)",
                },
            ),
            Graph(
                title="Messages waiting",
                about="In the partitions that are processed.",
                lines=_both("sum(GROUP_lag_messages)"),
            ),
            Graph(
                title="Rebalances in 15 min",
                about="Times that the group dealt the partitions anew, of the instance that saw most.",
                lines=_both("max(increase(GROUP_rebalances_total[15m]))"),
            ),
            Graph(
                title="Transactions / s",
                about="Committed: they cost the broker more than messages do.",
                lines=_both(per_second("GROUP_transactions_total")),
            ),
            Graph(
                title="Transactions not committed in 10 min",
                about="Their messages are seen again; a broker that restarts costs a few.",
                lines=_both("sum(increase(GROUP_commit_failures_total[10m]))"),
            ),
        ],
        "Topics": [
            Graph(
                title="Samples in",
                about="Bytes a second that the replay hands over.",
                lines={"bytes / s": per_second("ecgstream_producer_bytes_total")},
                unit="bytes",
            ),
            Graph(
                title="Dead letters of samples in 5 min",
                about="Letters on ecg.dead-letters, by code.",
                lines={"{{code}}": "sum by (code) (increase(ecgstream_detector_dead_letters_total[5m]))"},
            ),
            Graph(
                title="Dead letters of verdicts and commands in 5 min",
                about="Letters on ecg.dead-letters, by code.",
                lines={"{{code}}": "sum by (code) (increase(ecgstream_alerting_dead_letters_total[5m]))"},
            ),
            Graph(
                title="Page: messages left out / min",
                about="In another partition than their key's, unreadable, or of patients for whom there was no room.",
                lines={
                    "misplaced": per_second("ecgstream_web_misplaced_messages_total", per=60),
                    "unreadable": per_second("ecgstream_web_unreadable_messages_total", per=60),
                    "no room": per_second("ecgstream_web_refused_patient_messages_total", per=60),
                },
            ),
        ],
    },
)
