"""A switch of the models while the detector runs: the manifest in their folder is watched."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import structlog

from detector.manifest import MANIFEST, ModelError
from detector.metrics import DetectorMetrics
from detector.scorer import Scorer, scorer_of
from detector.settings import DetectorSettings
from ops.clock import Clock

POLL_EVERY_S = 2.0

log = structlog.get_logger(__name__)


class _Manifest(NamedTuple):
    """Identity of a manifest, cheap to ask for: another file, or the same one written anew, has another."""

    path: Path
    inode: int
    size: int
    mtime_ns: int


def identity_of(directory: Path) -> _Manifest | None:
    """Return the identity of a folder's manifest, links followed; None while there is none."""
    try:
        path = (directory / MANIFEST).resolve(strict=True)
        found = path.stat()
    except OSError:
        return None
    return _Manifest(path, found.st_ino, found.st_size, found.st_mtime_ns)


async def switch_models(
    settings: DetectorSettings, switch: Callable[[Scorer], None], *, metrics: DetectorMetrics, clock: Clock
) -> None:
    """Watch the folder of the models for ever, and hand over those that are put there.

    A manifest is to be written last, or the folder to be a link that is turned: its files are read when it changes.
    Models that do not fit are logged and counted, and those before judge on.

    Parameters
    ----------
    settings : of the detector
    switch : takes the new models over, between two batches
    metrics, clock : of the detector
    """
    known = identity_of(settings.models)
    while True:
        await clock.sleep(POLL_EVERY_S)
        found = identity_of(settings.models)
        if found is None or found == known:
            continue
        known = found
        try:
            scorer = await asyncio.to_thread(scorer_of, settings)
        except ModelError as error:
            metrics.switch_failures.inc()
            log.error("models_not_switched", directory=str(settings.models), error=str(error))  # noqa: TRY400 # no trace helps
            continue
        switch(scorer)
        log.info("models_switched", directory=str(settings.models), models=scorer.versions)
