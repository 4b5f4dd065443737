"""Fits that run side by side, a process and a thread each, and how far they are."""

import multiprocessing
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from multiprocessing.managers import SyncManager
from pathlib import Path
from queue import Queue
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from training.jobs import Job

_POLL_S = 0.5  # how often the progress bars move

J = TypeVar("J", bound=Job)


def run_side_by_side(
    jobs: Sequence[J], run: Callable[[J, "Queue[tuple[str, int]]"], Path], workers: int, console: Console
) -> None:
    """Run fits, so many at once, and show a bar for each.

    Parameters
    ----------
    jobs : what to fit; their names differ
    run : fits one, in a process of its own; tells (job name, steps done) now and then
    workers : how many at once
    console : where the bars are drawn
    """
    if not jobs:
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    # Spawned, not forked: torch's threads do not survive a fork.
    context = multiprocessing.get_context("spawn")
    # Ctrl-C reaches every process of the terminal: this one alone acts on it.
    deaf = (signal.SIGINT, signal.SIG_IGN)
    manager = SyncManager(ctx=context)
    manager.start(signal.signal, deaf)
    with (
        manager,
        Progress(*columns, console=console) as progress,
        ProcessPoolExecutor(workers, mp_context=context, initializer=signal.signal, initargs=deaf) as pool,
    ):
        progress_queue = manager.Queue()
        bars = {job.name: progress.add_task(job.name, total=job.fit.steps) for job in jobs}
        pending = {pool.submit(run, job, progress_queue) for job in jobs}
        try:
            while pending:
                done, pending = wait(pending, timeout=_POLL_S, return_when=FIRST_COMPLETED)
                while not progress_queue.empty():
                    name, steps = progress_queue.get()
                    progress.update(bars[name], completed=steps)
                for future in done:
                    future.result()
        except BaseException:
            # Fits that are under way would go on for minutes; a fit that is done has written its weights.
            pool.shutdown(wait=False, cancel_futures=True)
            for child in multiprocessing.active_children():
                child.terminate()
            raise
