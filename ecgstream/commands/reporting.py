"""The commands that write reports for people to read."""

from pathlib import Path
from typing import Annotated

import typer

from ecgstream.commands.options import Data, FileUnit, Leads, Models, SamplingRate, judging_settings, lead_names

report = typer.Typer(help="Reports for people to read.", no_args_is_help=True)


@report.callback()
def _report() -> None:
    """Reports for people to read."""


@report.command("record")
def report_record(
    record: Annotated[str, typer.Argument(metavar="R", help="A record's name, or a file as `ecgstream score` takes.")],
    *,
    data: Data = None,
    start: Annotated[float, typer.Option("--from", min=0, metavar="S", help="Report from there on, seconds.")] = 0.0,
    end: Annotated[
        float | None, typer.Option("--to", min=0, metavar="S", help="Report up to there, seconds; the end by default.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The HTML file.  [default: ecg-report-R.html]")
    ] = None,
    pdf: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a PDF too.")] = None,
    fs: SamplingRate = None,
    leads: Leads = None,
    unit: FileUnit = None,
    models: Models = None,
) -> None:
    """One recording: what was found, strips on ECG paper, and what each verdict rests on."""
    from ecgstream.recordings import records_folder
    from ecgstream.reporting import write_report
    from ecgstream.settings import OptionError, ProcessSettings, load
    from reports.recording import SpanError, read_recording, report_on

    folder = records_folder(data, load(ProcessSettings))
    recording = read_recording(record, folder, fs_hz=fs, leads=lead_names(leads), unit=unit.value if unit else None)
    settings, rules = judging_settings(models)
    try:
        made = report_on(recording, settings, rules, start_s=start, end_s=end)
    except SpanError as error:
        raise OptionError(f"--from, --to: {error}") from error
    html = out or Path(f"ecg-report-{made.name}.html")
    for path in write_report(made, html=html, pdf=pdf):
        typer.echo(f"written: {path}")


@report.command("data")
def report_data(
    *,
    data: Data = None,
    out: Annotated[Path, typer.Option(metavar="FILE", help="The HTML file.")] = Path("ecg-report-data.html"),
) -> None:
    """The recordings there are to train on: classes, rhythms, leads, faults, and examples of each.

    Without --data a row for every database of the data directory stands before those of mitdb.
    """
    from rich.console import Console
    from rich.progress import track

    from ecg.data import data_directory
    from ecg.errors import EcgStreamError
    from ecgstream.recordings import NOISE_DATABASE, records_folder
    from ecgstream.settings import ProcessSettings, load
    from training.data_report import data_report

    process = load(ProcessSettings)
    everything = data_directory(process.data_dir)
    html = data_report(
        records_folder(data, process),
        noise=everything / NOISE_DATABASE,
        ecg5000_directory=everything / "ecg5000",
        everything=None if data else everything,
        track=lambda names: track(names, "reading records", console=Console(stderr=True)),
    )
    try:
        out.write_text(html, encoding="utf-8")
    except OSError as error:
        raise EcgStreamError(f"{out} cannot be written ({error.strerror}): give another --out") from error
    typer.echo(f"written: {out}")
