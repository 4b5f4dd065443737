"""The pipeline: from samples to alarms, over all services and instances."""

from monitoring.grafana.panels import Board, Graph, Number, per_second, quantiles

_SERVICES = '{job=~"producer|gateway|detector|alerting|web"}'

BOARD = Board(
    name="pipeline",
    title="the pipeline",
    about="From samples to alarms: throughput, latency, lag, objectives.",
    rows={
        "At a glance": [
            Number(
                title="Patients",
                about="Patients whose samples the detectors hold at this moment.",
                expr="sum(ecgstream_detector_patients)",
            ),
            Number(
                title="Verdicts / s",
                about="Judged windows a second; each patient gives one in 5 s.",
                expr=per_second("ecgstream_detector_windows_total"),
            ),
            Number(
                title="ECG waiting",
                about="Seconds of each patient's ECG that wait in the partition that is furthest behind.",
                expr="max(ecgstream_detector_lag_seconds)",
                unit="s",
            ),
            Number(
                title="Open alarms",
                about="Alarms that have started and not ended.",
                expr="sum(ecgstream_alerting_open_alerts)",
            ),
            Number(
                title="Verdict p99",
                about="From the last sample handed to the broker to the committed verdict; 99 of 100 come sooner.",
                expr=quantiles("ecgstream_detector_latency_seconds", 0.99)["p99"],
                unit="s",
            ),
            Number(
                title="Services up",
                about="Instances that answer Prometheus.",
                expr=f"sum(up{_SERVICES})",
            ),
        ],
        "Throughput and latency": [
            Graph(
                title="Chunks / s",
                about="Samples messages: sent by the producer, and taken by the detector.",
                lines={
                    "sent": per_second("ecgstream_producer_chunks_total"),
                    "taken": per_second("ecgstream_detector_chunks_total"),
                },
            ),
            Graph(
                title="Samples / s",
                about="Samples of all leads and patients.",
                lines={
                    "sent": per_second("ecgstream_producer_samples_total"),
                    "taken": per_second("ecgstream_detector_samples_total"),
                },
            ),
            Graph(
                title="Verdict latency",
                about="From the last sample handed to the broker to the committed verdict.",
                lines=quantiles("ecgstream_detector_latency_seconds", 0.5, 0.99, 0.999),
                unit="s",
            ),
            Graph(
                title="Lag",
                about="Messages that wait to be taken.",
                lines={
                    "detector: chunks": "sum(ecgstream_detector_lag_messages)",
                    "alerting: verdicts": "sum(ecgstream_alerting_lag_messages)",
                },
            ),
            Graph(
                title="Producer behind its pace",
                about="How much later than its schedule the replay sends.",
                lines={"behind": "max(ecgstream_producer_behind_seconds)"},
                unit="s",
            ),
            Graph(
                title="Gaps and duplicates / min",
                about="Seconds of signal that never came, and samples that came twice.",
                lines={
                    "gap s": per_second("ecgstream_detector_gap_seconds_total", per=60),
                    "duplicate samples": per_second("ecgstream_detector_duplicate_samples_total", per=60),
                },
            ),
        ],
        "Devices": [
            Graph(
                title="Chunks of devices / s",
                about="Chunks that the gateways have stored, by the way they came.",
                lines={"{{way}}": f"({per_second('ecgstream_gateway_chunks_total', by='way')}) or vector(0)"},
            ),
            Graph(
                title="Acknowledgement",
                about="From a chunk's arrival to Kafka's word that it is stored.",
                lines=quantiles("ecgstream_gateway_ack_seconds", 0.5, 0.99),
                unit="s",
            ),
            Graph(
                title="Packet delay",
                about="How much longer than the shortest way of its device's packets a chunk took.",
                lines=quantiles("ecgstream_gateway_packet_delay_seconds", 0.5, 0.99),
                unit="s",
            ),
            Graph(
                title="Lost and repeated samples / min",
                about="Samples that devices passed over, and that came again and were not stored again.",
                lines={
                    "lost": per_second("ecgstream_gateway_lost_samples_total", per=60),
                    "repeated": per_second("ecgstream_gateway_repeated_samples_total", per=60),
                },
            ),
            Graph(
                title="Refused / min",
                about="Chunks and connections that were refused, by reason.",
                lines={
                    "{{code}}": f"({per_second('ecgstream_gateway_refused_total', per=60, by='code')}) or vector(0)"
                },
            ),
            Graph(
                title="Streams and connections",
                about="Streams that sent in the last minute, and WebSockets that are open.",
                lines={
                    "streams": "sum(ecgstream_gateway_streams)",
                    "WebSockets": "sum(ecgstream_gateway_connections)",
                },
            ),
        ],
        "Objectives": [
            Graph(
                title="Verdicts later than 0.5 s",
                about="Share in an hour; the objective is at most 1 %.",
                lines={"late": "ecgstream:latency_errors:ratio_1h"},
                unit="percentunit",
            ),
            Graph(
                title="Messages deleted before they were read",
                about="Share in an hour; the objective is at most 0.01 %.",
                lines={"{{job}}": "ecgstream:loss_errors:ratio_1h"},
                unit="percentunit",
            ),
            Graph(
                title="Deliveries later than 10 s, or never",
                about="Share in an hour, by channel; the objective is at most 1 %. 0 where no channel is set up.",
                lines={"{{channel}}": "ecgstream:delivery_errors:ratio_1h or vector(0)"},
                unit="percentunit",
            ),
        ],
        "Services": [
            Graph(
                title="CPU",
                about="Cores in use by each service.",
                lines={"{{job}}": per_second(f"process_cpu_seconds_total{_SERVICES}", by="job")},
            ),
            Graph(
                title="Memory",
                about="Resident memory of each service.",
                lines={"{{job}}": f"sum by (job) (process_resident_memory_bytes{_SERVICES})"},
                unit="bytes",
            ),
            Graph(
                title="Open files",
                about="Of each service, sockets among them: a line that only grows is a leak.",
                lines={"{{job}}": f"max by (job) (process_open_fds{_SERVICES})"},
            ),
            Graph(
                title="Page: requests / s",
                about="By status.",
                lines={"{{status}}": f"({per_second('ecgstream_web_requests_total', by='status')}) or vector(0)"},
            ),
            Graph(
                title="Page: event loop lag",
                about="How late the event loop of the page wakes: live traces wait for it.",
                lines=quantiles("ecgstream_web_loop_lag_seconds", 0.5, 0.99),
                unit="s",
            ),
            Graph(
                title="Releases",
                about="Instances of each release of ecgstream: more than one in an upgrade only.",
                lines={"{{version}}": "count by (version) (ecgstream_build_info)"},
            ),
        ],
    },
)
