"""The command around single beats: the networks on ECG5000."""

from pathlib import Path
from typing import Annotated

import typer

from ecgstream.commands.options import Json


def train_ecg5000(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where the models go; earlier ones are replaced.")],
    *,
    data: Annotated[
        Path | None, typer.Option(help="The folder of both tables; by default ecg5000 in the data directory.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, max=20, help="How many times all is fitted.")] = 3,
    json: Json = None,
) -> None:
    """Train the family on ECG5000, measure it beside published figures, and write the best pair as ONNX files."""
    import time

    from rich.console import Console
    from rich.progress import Progress

    from ecg.data import data_directory
    from ecgstream.commands.models import need_torch
    from ecgstream.running import print_result
    from ecgstream.settings import ProcessSettings, load

    need_torch("sklearn")
    from training.ecg5000.export import export_pair, report
    from training.ecg5000.table import tables
    from training.ecg5000.train import BeatTraining, fit_family, measure_family

    folder = data.expanduser() if data else data_directory(load(ProcessSettings).data_dir) / "ecg5000"
    started = time.monotonic()
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("reading", total=None)
        family = fit_family(
            folder,
            BeatTraining(seeds=seeds),
            progress=lambda name, done, total: progress.update(
                task, description=f"fitted {name}", completed=done, total=total
            ),
        )
    # Everything is chosen: only now is the test table opened.
    measured = measure_family(family, folder)
    differences = export_pair(family, measured, directory)
    lines = [f"{name}: onnxruntime and torch differ by at most {most:.2g}" for name, most in differences.items()]
    lines.append(f"the models are in {directory}")
    print_result((tables(family, measured), *lines), report(family, measured, seconds=time.monotonic() - started), json)
