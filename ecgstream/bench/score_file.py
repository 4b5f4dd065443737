"""Time and memory that `ecgstream score` takes for one file, from the start of its process to its end."""

import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import psutil

from ecg.errors import EcgStreamError
from ecg.records import Record
from ecg.wfdb_files import load_record
from ecgstream.bench.capacity import machine

SHORT_S = 600.0  # a file of at most so many seconds is scored several times: what else runs strikes single ones
ROUNDS = 5
_POLL_S = 0.02  # how often the memory of all processes is looked at
_MAXRSS_BYTES = 1 if sys.platform == "darwin" else 1024  # unit of the most memory that a process had

# Run by a process that has nothing else in its memory: Linux counts what the parent had as the child's.
_MEASURED = """
import os, subprocess, sys, time
began_s = time.perf_counter()
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, usage = os.wait4(process.pid, 0)
print(time.perf_counter() - began_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """One run of the command: s of wall clock, s of CPU, and the most resident memory of all its processes, MB."""

    wall_s: float
    cpu_s: float
    rss_mb: float


def bench_score_file(name: str, folder: Path, *, length_s: float, models: Path) -> dict[str, Any]:
    """Make a file of a given length by repeating a record, and score it in a process of its own.

    Parameters
    ----------
    name : the record's
    folder : where records lie
    length_s : length of the file, s
    models : folder of the models

    Raises
    ------
    EcgStreamError : when the record cannot be read, or the command fails
    """
    record = load_record(name, folder)
    with TemporaryDirectory() as made:
        header = write_repeated(record, Path(made), length_s=length_s)
        arguments = ["score", str(header), "--models", str(models), "--json", str(Path(made) / "result.json")]
        log = Path(made) / "errors.txt"
        runs = [_run(arguments, log) for _ in range(1 + ROUNDS if length_s <= SHORT_S else 1)]
        file_mb = round(header.with_suffix(".dat").stat().st_size / 1e6, 1)
    counted = runs[1:] or runs  # of several, the first one fills the caches
    return {
        "record": name,
        "leads": len(record.leads),
        "fs_hz": record.fs_hz,
        "seconds": length_s,
        "file_mb": file_mb,
        "rounds": len(counted),
        "score_s": round(median(run.wall_s for run in counted), 2),
        "score_cpu_s": round(median(run.cpu_s for run in counted), 2),
        "rss_mb": round(max(run.rss_mb for run in counted), 1),
        "machine": machine(),
    }


def write_repeated(record: Record, folder: Path, *, length_s: float) -> Path:
    """Write a record again and again as one WFDB record of a given length; its header.

    Parameters
    ----------
    record : what is repeated
    folder : where the files go
    length_s : how long the new record is, s
    """
    header, left = folder / "repeated.hea", round(length_s * record.fs_hz)
    lines = [f"repeated {len(record.leads)} {record.fs_hz!r} {left}"]
    for lead, gain, baseline in zip(record.leads, record.gain, record.baseline, strict=True):
        lines.append(f"repeated.dat 16 {gain!r}({baseline})/mV 16 0 0 0 0 {lead}")
    header.write_text("\n".join(lines) + "\n", encoding="utf-8")
    with header.with_suffix(".dat").open("wb") as file:
        while left > 0:
            piece = record.samples[:left]
            file.write(np.ascontiguousarray(piece, "<i2").tobytes())
            left -= len(piece)
    return header


def _run(arguments: list[str], log: Path) -> _Run:
    command = [sys.executable, "-c", _MEASURED, sys.executable, "-m", "ecgstream", *arguments]
    with (
        log.open("w", encoding="utf-8") as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True) as process,  # noqa: S603 # this program itself
    ):
        most_bytes = 0
        while process.poll() is None:
            most_bytes = max(most_bytes, _resident_bytes(process.pid))
            time.sleep(_POLL_S)
        output = "" if process.stdout is None else process.stdout.read()
    if process.returncode:
        raise EcgStreamError(f"`ecgstream score` failed: {log.read_text(encoding='utf-8').strip()[-500:]}")
    wall_s, cpu_s, most = map(float, output.split())
    return _Run(wall_s=wall_s, cpu_s=cpu_s, rss_mb=max(most * _MAXRSS_BYTES, most_bytes) / 1e6)


def _resident_bytes(pid: int) -> int:
    """Resident memory of all processes that a process has started, together; 0 where nobody tells."""
    resident = 0
    with suppress(psutil.Error):
        for child in psutil.Process(pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                resident += child.memory_info().rss
    return resident
