"""Fits without processes of their own, each of which would load torch anew; ``test_train.py`` has real ones."""

import contextlib
import pickle
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from training.jobs import Job


def _one_after_the_other(jobs: Sequence[Job], run: Callable[[Job], Path], *_: object) -> None:
    threads = torch.get_num_threads()
    try:
        for job in jobs:
            run_there, job_there = pickle.loads(pickle.dumps((run, job)))  # noqa: S301 - as they come to a process
            run_there(job_there)
    finally:
        torch.set_num_threads(threads)  # a fit sets those of its process


@contextlib.contextmanager
def in_this_process(*modules: ModuleType) -> Iterator[Any]:
    """Fits that these modules start run here."""
    with pytest.MonkeyPatch.context() as patch:
        for module in modules:
            patch.setattr(module, "run_side_by_side", _one_after_the_other)
        yield
