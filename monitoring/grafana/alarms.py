"""Alarms on their way: from the verdict to the receiver and the history."""

from monitoring.grafana.panels import Board, Graph, Number, per_second, quantiles

_OF = "ecgstream_alerting_"
_DELIVERIES = f"({per_second(_OF + 'deliveries_total', by='channel, outcome', per=60)}) or vector(0)"

BOARD = Board(
    name="alarms",
    title="alarms",
    about="Alarms: how many, how fast they are delivered, and whether the history keeps up.",
    rows={
        "Now": [
            Number(title="Open", about="Alarms that have started and not ended.", expr=f"sum({_OF}open_alerts)"),
            Number(
                title="Open, high",
                about="Of high priority.",
                expr=f'sum({_OF}open_alerts{{priority="high"}})',
            ),
            Number(
                title="Waiting to be delivered",
                about="Messages that wait for a channel; 0 where there is none.",
                expr=f"sum({_OF}delivery_waiting) or vector(0)",
            ),
            Number(
                title="Given up",
                about="Messages that will not be delivered: ecgstream alarms deliveries --state dead.",
                expr=f"sum({_OF}delivery_dead) or vector(0)",
            ),
            Number(
                title="History fails for",
                about="How long the alarm history could not be written.",
                expr=f"max({_OF}history_failing_seconds)",
                unit="s",
            ),
            Number(title="Patients", about="Patients that alerting follows.", expr=f"sum({_OF}patients)"),
        ],
        "Alarms": [
            Graph(
                title="Open alarms",
                about="By priority and kind.",
                lines={"{{priority}} {{kind}}": f"sum by (kind, priority) ({_OF}open_alerts)"},
            ),
            Graph(
                title="Messages about alarms / min",
                about="By phase: an alarm starts, grows and ends.",
                lines={"{{kind}} {{phase}}": per_second(f"{_OF}alerts_total", by="kind, phase", per=60)},
            ),
            Graph(
                title="Verdicts judged / s",
                about="By decision.",
                lines={"{{decision}}": per_second(f"{_OF}verdicts_total", by="decision")},
            ),
            Graph(
                title="Ended alarms on the topic",
                about="They stay for a while, for whoever comes later.",
                lines={"ended": f"sum({_OF}ended_alerts)"},
            ),
            Graph(
                title="Patients and their limit",
                about="New ids beyond the limit have no alarms.",
                lines={"followed": f"sum({_OF}patients)", "limit": f"sum({_OF}patients_limit)"},
            ),
            Graph(
                title="Refused / min",
                about="Verdicts and commands, by code.",
                lines={"{{code}}": per_second(f"{_OF}refused_messages_total", by="code", per=60)},
            ),
        ],
        "Delivery": [
            Graph(
                title="Deliveries / min",
                about="By channel and outcome; 0 where no channel is set up.",
                lines={"{{channel}} {{outcome}}": _DELIVERIES},
            ),
            Graph(
                title="From Kafka to the receiver, p99",
                about="By channel; the objective is 10 s for 99 of 100.",
                lines={
                    "{{channel}}": "histogram_quantile(0.99, sum by (channel, le) "
                    f"(rate({_OF}delivery_seconds_bucket[$__rate_interval]))) or vector(0)"
                },
                unit="s",
            ),
            Graph(
                title="Oldest that waits",
                about="A channel that is slow or dead.",
                lines={"{{channel}}": f"(max by (channel) ({_OF}delivery_oldest_seconds)) or vector(0)"},
                unit="s",
            ),
        ],
        "History": [
            Graph(
                title="Written / min",
                about="Messages about alarms, and commands, that are in the alarm history.",
                lines={
                    "events": per_second(f"{_OF}history_events_total", per=60),
                    "actions": per_second(f"{_OF}history_actions_total", per=60),
                },
            ),
            Graph(
                title="From Kafka to the history",
                about="How long it takes.",
                lines=quantiles(f"{_OF}history_delay_seconds", 0.5, 0.99),
                unit="s",
            ),
            Graph(
                title="Strips / min",
                about="ECG strips kept with alarms, or none for want of samples.",
                lines={"{{outcome}}": per_second(f"{_OF}strips_total", by="outcome", per=60)},
            ),
        ],
    },
)
