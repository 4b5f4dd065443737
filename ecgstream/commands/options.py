"""The options that several commands share."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from alerting.rules import AlarmRules
    from detector.settings import DetectorSettings

BootstrapServers = Annotated[
    str | None,
    typer.Option(help="Kafka's address, host:port; by default ECGSTREAM_BOOTSTRAP_SERVERS, else 127.0.0.1:9092."),
]
Json = Annotated[
    Path | None, typer.Option("--json", metavar="FILE", help="Write one JSON object; - is standard output.")
]
Data = Annotated[
    Path | None, typer.Option(help="The folder that holds the WFDB records; by default mitdb in the data directory.")
]
Models = Annotated[Path | None, typer.Option(help="The folder of the ONNX models and their manifest.")]
HealthPort = Annotated[int | None, typer.Option(help="Port of /healthz, /readyz and /metrics; 0 takes a free one.")]
Instance = Annotated[str | None, typer.Option(help="Unique, stable name of this instance.")]


def speed_option(value: str | None) -> str | None:
    """A speed as it was written, if it is one."""
    if value is not None and value != "max":
        try:
            factor = float(value)
        except ValueError:
            raise typer.BadParameter(f"{value!r} is neither a number nor max") from None
        if not 0 < factor <= 100_000:
            raise typer.BadParameter(f"{value} is not above 0 and up to 100000, nor max")
    return value


Speed = Annotated[
    str | None, typer.Option(callback=speed_option, metavar="X|max", help="Times real pace, or max.  [default: 1]")
]
Record = Annotated[
    list[str] | None,
    typer.Option(metavar="R", help="A record's name, several separated by commas, ds1, ds2, all or ward; repeatable."),
]


class Unit(StrEnum):
    """Units of a file that does not say its own."""

    MV = "mV"
    UV = "uV"
    V = "V"
    ADC = "adc"


SamplingRate = Annotated[float | None, typer.Option(metavar="HZ", help="Sampling rate, for files that do not say it.")]
Leads = Annotated[str | None, typer.Option(help="Lead names, separated by commas.")]
FileUnit = Annotated[Unit | None, typer.Option(help="Unit, for files that do not say it; mV by default.")]


def lead_names(leads: str | None) -> tuple[str, ...] | None:
    """The names that ``--leads`` gives; None where it gives none."""
    return tuple(name for part in (leads or "").split(",") if (name := part.strip())) or None


def judging_settings(models: Path | None) -> "tuple[DetectorSettings, AlarmRules]":
    """The settings of judging, and the rules of alarms."""
    from alerting.rules import load_rules
    from alerting.settings import AlertingSettings
    from detector.settings import DetectorSettings
    from ecgstream.settings import load

    return load(DetectorSettings, models=models), load_rules(load(AlertingSettings).rules)
