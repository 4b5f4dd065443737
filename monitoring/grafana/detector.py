"""One detector: what it holds, what it costs, and what it refuses."""

from monitoring.grafana.panels import Board, Graph, Number, per_second, quantiles

_THIS = '{instance=~"$instance"}'
_OF = "ecgstream_detector_"

BOARD = Board(
    name="detector",
    title="one detector",
    about="One detector, or several beside each other: partitions, patients, memory, time, refusals.",
    variables={"instance": "label_values(ecgstream_detector_partitions, instance)"},
    rows={
        "Now": [
            Number(title="Patients", about="Patients that it follows.", expr=f"sum({_OF}patients{_THIS})"),
            Number(
                title="Partitions",
                about="Partitions of ecg.samples that it processes.",
                expr=f"sum({_OF}partitions{_THIS})",
            ),
            Number(
                title="ECG waiting",
                about="Seconds of each patient's ECG that wait in its partition that is furthest behind.",
                expr=f"max({_OF}lag_seconds{_THIS})",
                unit="s",
            ),
            Number(
                title="Verdict p99",
                about="From the last sample handed to the broker to the committed verdict.",
                expr=quantiles(f"{_OF}latency_seconds", 0.99, selector=_THIS)["p99"],
                unit="s",
            ),
            Number(
                title="Rings",
                about="Memory of the samples that it holds.",
                expr=f"sum({_OF}ring_bytes{_THIS})",
                unit="bytes",
            ),
            Number(
                title="Resident memory",
                about="Memory of the whole process.",
                expr='sum(process_resident_memory_bytes{job="detector", instance=~"$instance"})',
                unit="bytes",
            ),
        ],
        "Work": [
            Graph(
                title="Windows / s",
                about="Verdicts, by decision.",
                lines={"{{decision}}": per_second(f"{_OF}windows_total{_THIS}", by="decision")},
            ),
            Graph(
                title="Chunks and rapid checks / s",
                about="Samples messages taken in, and looks at the newest four seconds.",
                lines={
                    "chunks": per_second(f"{_OF}chunks_total{_THIS}"),
                    "rapid checks": per_second(f"{_OF}looks_total{_THIS}"),
                },
            ),
            Graph(
                title="ECG waiting",
                about="Seconds of each patient's ECG that wait.",
                lines={"{{instance}}": f"{_OF}lag_seconds{_THIS}"},
                unit="s",
            ),
            Graph(
                title="Verdict latency",
                about="From the last sample handed to the broker to the committed verdict.",
                lines=quantiles(f"{_OF}latency_seconds", 0.5, 0.99, 0.999, selector=_THIS),
                unit="s",
            ),
            Graph(
                title="Windows in a batch",
                about="Windows of all patients that are scored in one call.",
                lines=quantiles(f"{_OF}batch_windows", 0.5, 0.99, selector=_THIS),
            ),
            Graph(
                title="Scoring a batch",
                about="Time of one call of the models.",
                lines=quantiles(f"{_OF}scoring_seconds", 0.5, 0.99, selector=_THIS),
                unit="s",
            ),
        ],
        "The process": [
            Graph(
                title="Event loop lag",
                about="How late the event loop wakes: Kafka's heartbeats wait for it.",
                lines=quantiles(f"{_OF}loop_lag_seconds", 0.5, 0.99, selector=_THIS),
                unit="s",
            ),
            Graph(
                title="CPU",
                about="Cores in use.",
                lines={
                    "{{instance}}": per_second(
                        'process_cpu_seconds_total{job="detector", instance=~"$instance"}', by="instance"
                    )
                },
            ),
            Graph(
                title="Memory",
                about="Of the whole process, and of the samples that it holds.",
                lines={
                    "resident": 'sum(process_resident_memory_bytes{job="detector", instance=~"$instance"})',
                    "rings": f"sum({_OF}ring_bytes{_THIS})",
                },
                unit="bytes",
            ),
        ],
        "What is left out": [
            Graph(
                title="Messages refused / min",
                about="By code; dead letters say more.",
                lines={"{{code}}": per_second(f"{_OF}refused_messages_total{_THIS}", by="code", per=60)},
            ),
            Graph(
                title="Samples that came too late / min",
                about="late: their window had been given out; repeated, held, judged: of chunks that lay elsewhere.",
                lines={"{{reason}}": per_second(f"{_OF}stale_samples_total{_THIS}", by="reason", per=60)},
            ),
            Graph(
                title="Streams and clocks / min",
                about="Streams begun beside or after another of a patient, windows in which a clock jumped.",
                lines={
                    "further streams": per_second(f"{_OF}further_streams_total{_THIS}", per=60),
                    "clock jumps": per_second(f"{_OF}clock_jumps_total{_THIS}", per=60),
                },
            ),
        ],
    },
)
