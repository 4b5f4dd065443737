"""The command that sends what comes on standard input or grows in a file."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ecgstream.commands.options import FileUnit, Leads


class Form(StrEnum):
    """Forms of what is sent."""

    TEXT = "text"
    INT16 = "int16"


def send(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file that may grow; - is standard input.")],
    *,
    patient: Annotated[str, typer.Option(metavar="P", help="The patient id.")],
    fs: Annotated[float, typer.Option("--fs", metavar="HZ", help="Sampling rate.")],
    leads: Leads = None,
    unit: FileUnit = None,
    gain: Annotated[
        float, typer.Option(min=1e-3, max=1e6, metavar="G", help="ADC units per mV, of int16 and of --unit adc.")
    ] = 1000.0,
    form: Annotated[
        Form | None,
        typer.Option("--format", help="CSV or JSON lines, or little-endian int16; by default as it looks."),
    ] = None,
    until_end: Annotated[bool, typer.Option("--until-end", help="End with the file; do not wait for more.")] = False,
    url: Annotated[
        str | None, typer.Option(help="The gateway; by default ECGSTREAM_CLIENT_URL, else http://127.0.0.1:8010.")
    ] = None,
) -> None:
    """Send a growing file or standard input to a gateway as a live patient; ECGSTREAM_CLIENT_TOKEN is the token."""
    from ecg.records import check_fs
    from ecgstream.running import run
    from ecgstream.sending import SendPlan, Sent
    from ecgstream.sending import send as send_rows
    from ecgstream.settings import ClientSettings, ProcessSettings, load
    from ops.logging import configure_logging
    from ops.signals import stop_on_signals

    process = load(ProcessSettings)
    configure_logging(service="send", level="warning", form=process.log_format)
    settings = load(ClientSettings, url=url)
    check_fs(fs)
    plan = SendPlan(
        patient=patient,
        fs_hz=fs,
        leads=tuple(name.strip() for name in leads.split(",")) if leads else (),
        raw=None if form is None else form is Form.INT16,
        unit=unit.value if unit else "mV",
        gain=gain,
        until_end=until_end,
    )

    async def work() -> Sent:
        with stop_on_signals() as stop:
            return await send_rows(plan, file, settings, stop)

    sent = run(work())
    typer.echo(f"{sent.samples} samples of patient {patient} are stored")
    if sent.unread:
        typer.echo(f"{sent.unread} lines had no number for each lead: what they lack is marked missing", err=True)
