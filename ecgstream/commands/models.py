"""The commands around the models: scoring, training, exporting, measuring."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ecgstream.commands.options import Json, Models


class Unit(StrEnum):
    """Units of a file that does not say its own."""

    MV = "mV"
    UV = "uV"
    V = "V"
    ADC = "adc"


def score(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="WFDB (.hea, .dat), EDF, CSV or .npy files.")],
    *,
    fs: Annotated[float | None, typer.Option(metavar="HZ", help="Sampling rate, for files that do not say it.")] = None,
    leads: Annotated[str | None, typer.Option(help="Lead names, separated by commas.")] = None,
    unit: Annotated[Unit | None, typer.Option(help="Unit, for files that do not say it; mV by default.")] = None,
    models: Models = None,
    json: Json = None,
) -> None:
    """Score files without a broker."""
    from alerting.settings import AlertingSettings
    from detector.scorer import Scorer
    from detector.settings import DetectorSettings
    from ecg.segments import Preprocessing
    from ecgstream.running import STDOUT, write_json
    from ecgstream.scoring import score_file, told
    from ecgstream.settings import load

    settings = load(DetectorSettings, models=models)
    rules = load(AlertingSettings)
    scorer = Scorer(settings.models, preprocessing=Preprocessing(mains_hz=settings.mains_hz), threads=settings.threads)
    names = tuple(name.strip() for name in leads.split(",")) if leads else None
    results = []
    for path in files:
        results.append(score_file(path, scorer, rules, fs_hz=fs, leads=names, unit=unit.value if unit else None))
        if json != STDOUT:
            typer.echo("\n".join(told(results[-1])))
    write_json({"results": results}, json)
