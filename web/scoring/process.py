"""A scoring process: takes jobs one at a time, under limits, so that no file can harm the service."""

import contextlib
import os
import signal
import traceback
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from typing import Any

from alerting.rules import AlarmRules
from detector.settings import DetectorSettings
from ecg.errors import EcgStreamError
from reports.scoring import DISK_FULL
from web.memory import MOST_BYTES, bound, go_first, held_bytes
from web.scoring.jobs import TOO_MUCH, Desk, Job

NICENESS = 5  # live traces come before files


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """Start values of a scoring process.

    Attributes
    ----------
    detector : models and preprocessing, the stream's
    memory_bytes : what it may take, with its models
    """

    detector: DetectorSettings
    rules: AlarmRules
    memory_bytes: int = MOST_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A job's answer.

    Attributes
    ----------
    spent : whether the process is to be replaced
    """

    answer: Any
    spent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NotDone:
    """A job that could not be done.

    Attributes
    ----------
    reason : why
    mendable : whether the sender can mend it
    full : whether the disk is
    gone : whether the recording has been deleted meanwhile
    spent : whether the process is to be replaced
    """

    reason: str
    mendable: bool = False
    full: bool = False
    gone: bool = False
    spent: bool = False


def serve(connection: Connection, setup: Setup) -> None:
    """Do jobs until the other side hangs up.

    Parameters
    ----------
    connection : brings jobs, takes ``Done`` and ``NotDone``; the first answer says that the models are loaded
    setup : what to do them with
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the service, which ends this
    os.nice(NICENESS)
    go_first()
    try:
        desk = Desk(setup.detector, setup.rules)
    except EcgStreamError as error:
        connection.send(NotDone(reason=str(error)))
        return
    bound(setup.memory_bytes)
    connection.send(Done(answer=None))
    with contextlib.suppress(EOFError, BrokenPipeError):
        while True:
            outcome = _outcome(connection.recv(), desk)
            connection.send(replace(outcome, spent=desk.spent or held_bytes() > setup.memory_bytes // 2))


def _outcome(job: Job[Any], desk: Desk) -> Done | NotDone:
    try:
        return Done(answer=job.do(desk))
    except EcgStreamError as error:
        return NotDone(reason=str(error), mendable=True)
    except MemoryError:
        desk.spent = True
        return NotDone(reason=f"it {TOO_MUCH}", mendable=True)
    except FileNotFoundError as error:
        return NotDone(reason=f"no file {error.filename}", gone=True)
    except OSError as error:
        return NotDone(reason=f"{type(error).__name__}: {error.strerror}", full=error.errno in DISK_FULL)
    except Exception as error:  # noqa: BLE001 # told, so that the next job finds this process well
        # Its own words may quote a file, and a file's name may be a person's.
        place = traceback.extract_tb(error.__traceback__)[-1]
        return NotDone(reason=f"{type(error).__name__} at {place.filename}:{place.lineno}")
