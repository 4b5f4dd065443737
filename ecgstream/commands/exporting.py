"""The commands that write samples for other programs: of a recording, and of a patient."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ecgstream.commands.alarm_history import Time, time_option
from ecgstream.commands.options import BootstrapServers, FileUnit, Json, Leads, SamplingRate, lead_names

samples = typer.Typer(no_args_is_help=True, help="Samples of patients out of Kafka.", rich_markup_mode=None)


@samples.callback()
def _samples() -> None:
    """Samples of patients out of Kafka."""


class Form(StrEnum):
    """Formats that are written."""

    WFDB = "wfdb"
    EDF = "edf"
    FHIR = "fhir"


Format = Annotated[
    Form, typer.Option("--format", help="WFDB record, EDF+ (interrupted at gaps), or FHIR R4 Observation.")
]
Force = Annotated[bool, typer.Option("--force", help="Write over files that are there.")]
Out = Annotated[Path, typer.Option("--out", metavar="PATH", help="The file; its suffix may be left out.")]


def convert(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A recording of any kind that 'score' reads.")],
    *,
    form: Format,
    out: Out,
    start: Annotated[float, typer.Option(min=0, metavar="S", help="From this second on.")] = 0.0,
    seconds: Annotated[float | None, typer.Option(min=0, metavar="S", help="So many; by default all.")] = None,
    force: Force = False,
    fs: SamplingRate = None,
    leads: Leads = None,
    unit: FileUnit = None,
    json: Json = None,
) -> None:
    """Write a recording, or a stretch of it, as WFDB, EDF+ or FHIR; what is missing stays missing."""
    from ecg.exports import Origin, export
    from ecgstream.exporting import described, lines_of, stretch_of
    from ecgstream.running import print_result
    from reports.opening import open_any

    recording = stretch_of(
        open_any(file, fs_hz=fs, leads=lead_names(leads), unit=unit.value if unit else None),
        start_s=start,
        seconds=seconds,
    )
    found = described(recording)
    found["files"] = [str(file) for file in export(out, recording, Origin(), form.value, replace=force)]
    print_result(lines_of(found), found, json)


@samples.command("export")
def export_samples(
    *,
    patient: Annotated[str, typer.Option(metavar="P", help="The patient id.")],
    since: Annotated[
        Time, typer.Option("--from", parser=time_option, metavar="TIME", help="From when; ISO 8601, UTC.")
    ],
    until: Annotated[Time, typer.Option("--to", parser=time_option, metavar="TIME", help="Until when, excluded.")],
    form: Format,
    out: Out,
    force: Force = False,
    bootstrap_servers: BootstrapServers = None,
    json: Json = None,
) -> None:
    """Write up to ten minutes of a patient's samples as WFDB, EDF+ or FHIR; WFDB with its beats (.atr)."""
    from bus.beat_reviews import read_reviews
    from bus.sample_history import SampleHistory
    from bus.settings import KafkaSettings
    from bus.stored_samples import StoredSamples
    from bus.verdict_history import VerdictHistory
    from ecg.annotations import Annotations
    from ecg.exports import Origin, export
    from ecgstream.exporting import described, lines_of
    from ecgstream.running import print_result, run
    from ecgstream.settings import load
    from reports.beat_annotations import annotations_of

    kafka = load(KafkaSettings, bootstrap_servers=bootstrap_servers)

    async def read() -> tuple[StoredSamples, Annotations | None]:
        async with SampleHistory(kafka) as history, VerdictHistory(kafka) as verdicts:
            stored = await history.read(patient, since.ns, until.ns)
            if form is not Form.WFDB:
                return stored, None
            judged = await verdicts.read(patient, since.ns, until.ns)
            reviews = await read_reviews(kafka, patient, since.ns, until.ns)
            return stored, annotations_of(stored, judged, reviews)

    stored, beats = run(read())
    record = stored.as_record()
    origin = Origin(patient=stored.patient, device=stored.device, start_ns=stored.start_ns, annotations=beats)
    found = described(record)
    found["files"] = [str(file) for file in export(out, record, origin, form.value, replace=force)]
    print_result(lines_of(found), found, json)


@samples.command("record")
def record_samples(
    *,
    patient: Annotated[str, typer.Option(metavar="P", help="The patient id.")],
    out: Out,
    bootstrap_servers: BootstrapServers = None,
) -> None:
    """Write what comes of a patient into an EDF+ file that grows, until Ctrl-C; one that was left is gone on with."""
    from bus.settings import KafkaSettings
    from ecgstream.live_recording import record
    from ecgstream.running import run
    from ecgstream.settings import ProcessSettings, load
    from ops.logging import configure_logging

    configure_logging(service="samples", level="warning", form=load(ProcessSettings).log_format)
    kafka = load(KafkaSettings, bootstrap_servers=bootstrap_servers)
    run(record(kafka, patient, out, say=typer.echo))
