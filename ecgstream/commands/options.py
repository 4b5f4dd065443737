"""The options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

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
