"""Every metric of the web service. No patient id is a label: there is no end to them."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_LOOP_LAG_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0)


class WebMetrics:
    """The web service's metrics on one registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        # By route, as it is written in the OpenAPI document: paths hold patients' ids.
        self.requests = Counter(
            "ecgstream_web_requests", "Requests answered", ("method", "route", "status"), registry=registry
        )
        self.request_seconds = Histogram(
            "ecgstream_web_request_seconds",
            "From a request to its whole answer",
            ("route",),
            buckets=_SECONDS,
            registry=registry,
        )
        self.loop_lag_seconds = Histogram(
            "ecgstream_web_loop_lag_seconds",
            "How late the event loop wakes: live traces depend on it",
            buckets=_LOOP_LAG_S,
            registry=registry,
        )
        self.live_clients = Gauge("ecgstream_web_live_clients", "WebSockets that watch traces", registry=registry)
        self.listeners = Gauge("ecgstream_web_listeners", "Event streams that are open", registry=registry)
        self.live_frames = Counter(
            "ecgstream_web_live_frames", "Frames encoded, each once for all its clients", registry=registry
        )
        self.live_bytes = Counter("ecgstream_web_live_bytes", "Bytes of frames sent to all clients", registry=registry)
        self.dropped_samples = Counter(
            "ecgstream_web_dropped_samples", "Samples that slow clients did not get", registry=registry
        )
        self.dropped_events = Counter(
            "ecgstream_web_dropped_events", "Events that slow clients did not get; never alarms", registry=registry
        )
        self.listeners_cut_off = Counter(
            "ecgstream_web_listeners_cut_off", "Event streams ended because alarms waited for them", registry=registry
        )
        self.event_queue_depth = Gauge(
            "ecgstream_web_event_queue_depth", "Events that wait for the slowest client", registry=registry
        )
        self.hub_lag_seconds = Gauge(
            "ecgstream_web_hub_lag_seconds", "Age of the newest samples when they were read", registry=registry
        )
        self.recordings = Counter(
            "ecgstream_web_recordings", "Recordings sent, by outcome", ("outcome",), registry=registry
        )
        self.scoring_seconds = Histogram(
            "ecgstream_web_scoring_seconds",
            "How long a scoring process works on a job",
            ("job",),
            buckets=_SECONDS,
            registry=registry,
        )
        self.scoring_waiting = Gauge(
            "ecgstream_web_scoring_waiting", "Jobs that wait for a scoring process", registry=registry
        )
        self.scoring_processes_lost = Counter(
            "ecgstream_web_scoring_processes_lost", "Scoring processes that broke or hung", registry=registry
        )
        self.patients = Gauge("ecgstream_web_patients", "Patients that are followed", registry=registry)
        self.refused_patients = Counter(
            "ecgstream_web_refused_patient_messages",
            "Messages of patients for whom there was no room (ECGSTREAM_WEB_MAX_PATIENTS)",
            registry=registry,
        )
        self.misplaced = Counter(
            "ecgstream_web_misplaced_messages",
            "Messages of samples in another partition than their key's: the detector refuses them",
            registry=registry,
        )
        self.unreadable = Counter(
            "ecgstream_web_unreadable_messages", "Messages of the topics that could not be read", registry=registry
        )
