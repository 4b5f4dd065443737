"""The ward: how many patients are watched, what was found and what alarms, without a word about who they are."""

from monitoring.grafana.panels import USABLE, Board, Graph, Number, per_second, share_of_windows

BOARD = Board(
    name="ward",
    title="the ward",
    about="Patients watched, what is found, what alarms. No patient is named: the page of ecgstream does that.",
    rows={
        "Now": [
            Number(
                title="Patients",
                about="Patients whose samples the detectors hold at this moment.",
                expr="sum(ecgstream_detector_patients)",
            ),
            *(
                Number(
                    title=f"Open, {priority}",
                    about=f"Alarms of {priority} priority (IEC 60601-1-8) that have started and not ended.",
                    expr=f'sum(ecgstream_alerting_open_alerts{{priority="{priority}"}})',
                )
                for priority in ("high", "medium", "low")
            ),
            Number(
                title="Abnormal",
                about="Share of the usable windows that are abnormal.",
                expr=share_of_windows("abnormal", among=USABLE),
                unit="percentunit",
            ),
            Number(
                title="Unusable",
                about="Share of all windows that cannot be judged: electrodes, noise, gaps.",
                expr=share_of_windows("unusable"),
                unit="percentunit",
            ),
        ],
        "What is found": [
            Graph(
                title="Windows by decision",
                about="Verdicts a second; each patient gives one in five.",
                lines={"{{decision}}": per_second("ecgstream_detector_windows_total", by="decision")},
            ),
            Graph(
                title="Urgent messages / min",
                about="What kills within minutes, as seen each second.",
                lines={"{{kind}}": per_second("ecgstream_detector_urgent_total", by="kind", per=60)},
            ),
            Graph(
                title="Open alarms",
                about="Alarms that have started and not ended.",
                lines={"{{priority}} {{kind}}": "sum by (kind, priority) (ecgstream_alerting_open_alerts)"},
            ),
            Graph(
                title="Alarms begun / min",
                about="By priority: an alarm counts once, however long it lasts.",
                lines={
                    "{{priority}}": per_second('ecgstream_alerting_alerts_total{phase="start"}', by="priority", per=60)
                },
            ),
            Graph(
                title="Signal that never came / min",
                about="Seconds of ECG that no device sent, of all patients together.",
                lines={"gaps": per_second("ecgstream_detector_gap_seconds_total", per=60)},
                unit="s",
            ),
            Graph(
                title="Senders in quarantine",
                about="Senders of whom nothing but bad messages come: the topic ecg.dead-letters says why.",
                lines={
                    "samples": "sum(ecgstream_detector_quarantined_senders)",
                    "verdicts and commands": "sum(ecgstream_alerting_quarantined_senders)",
                },
            ),
        ],
        "Who watches": [
            Graph(
                title="Browsers",
                about="Clients that watch traces, and event streams.",
                lines={
                    "traces": "sum(ecgstream_web_live_clients)",
                    "events": "sum(ecgstream_web_listeners)",
                },
            ),
            Graph(
                title="How old the newest samples are",
                about="On the page, when they come from Kafka.",
                lines={"age": "max(ecgstream_web_hub_lag_seconds)"},
                unit="s",
            ),
            Graph(
                title="What slow browsers miss",
                about="Samples, and event streams that were ended; never alarms.",
                lines={
                    "samples / s": per_second("ecgstream_web_dropped_samples_total"),
                    "streams cut off / min": per_second("ecgstream_web_listeners_cut_off_total", per=60),
                },
            ),
        ],
    },
)
