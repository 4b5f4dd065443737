"""Execute the notebooks from the first cell to the last and keep their outputs, without a trace of this machine.

Which records: NOTEBOOK_RECORDS (all of DS1 by default), from ECGSTREAM_DATA_DIR; how long the fits: NOTEBOOK_STEPS.
"""

import argparse
import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

NOTEBOOKS = Path(__file__).resolve().parent.parent / "training" / "notebooks"
RESULTS = "4_results.ipynb"
MOST_S = 1200  # of one cell
MOST_BYTES = 1_000_000  # of one notebook: a page on the web shows larger ones badly or not at all


def execute(source: Path, target: Path) -> None:
    """Run one notebook and write it with its outputs."""
    notebook = nbformat.read(source, as_version=4)
    client = NotebookClient(notebook, timeout=MOST_S, kernel_name="python3", record_timing=False)
    with TemporaryDirectory() as sockets:
        kernel = client.create_kernel_manager()
        kernel.transport, kernel.ip = "ipc", str(Path(sockets) / "kernel")  # files, not open ports
        client.execute(cwd=str(NOTEBOOKS.parent.parent))
    # Versions and names of this machine's kernel change nothing about the notebook.
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
    )
    for cell in notebook.cells:
        cell.metadata = nbformat.NotebookNode()
    text = nbformat.writes(notebook) + "\n"
    for private in (str(Path.home()), str(NOTEBOOKS.parent.parent), str(Path(sys.prefix))):
        if private in text:
            raise SystemExit(f"{source.name}: an output names {private}: print what is found, not where")
    if len(text) > MOST_BYTES:
        raise SystemExit(f"{source.name} would be {len(text)} bytes, at most {MOST_BYTES}: draw smaller figures")
    target.write_text(text, encoding="utf-8")


def main() -> None:
    """Run all of them, or those that are named."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("names", nargs="*", help="such as 1_exploration; all by default")
    options.add_argument("--evaluation", type=Path, help=f"what `ecgstream evaluate --json` wrote, for {RESULTS}")
    options.add_argument("--out", type=Path, default=NOTEBOOKS, help="folder to write to; in place by default")
    chosen = options.parse_args()
    if chosen.evaluation:
        os.environ["NOTEBOOK_EVALUATION"] = str(chosen.evaluation.resolve())
    for source in sorted(NOTEBOOKS.glob("*.ipynb")):
        if chosen.names and source.stem not in chosen.names:
            continue
        if source.name == RESULTS and "NOTEBOOK_EVALUATION" not in os.environ:
            print(f"{source.name}: left as it is; give --evaluation FILE")  # noqa: T201 - a program's answer
            continue
        try:
            execute(source, chosen.out / source.name)
        except CellExecutionError as error:
            raise SystemExit(f"{source.name}: {error}") from None
        print(f"{source.name}: done")  # noqa: T201 - a program's answer


if __name__ == "__main__":
    main()
