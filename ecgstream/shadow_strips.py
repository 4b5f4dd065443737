"""Strips of the windows on which the shadow decided otherwise, drawn from ``ecg.samples``."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

from bus.sample_history import SampleHistory
from bus.settings import KafkaSettings
from bus.stored_samples import StoredSamples
from bus.stream_search import NoSamplesError
from ecg.errors import EcgStreamError
from ecg.records import to_millivolts
from ecgstream.shadow_comparison import Disagreement, ScoredDecision
from reports.formats import to_svg
from reports.paper import draw_strip
from reports.strip import Strip, StripFinding, StripWindow

BEFORE_NS = 5_000_000_000  # shown before the window
DAY_NS = 86_400_000_000_000


async def draw_strips(kafka: KafkaSettings, chosen: Sequence[Disagreement]) -> dict[str, str]:
    """Draw a strip for each disagreement, 25 mm/s and 10 mm/mV; those whose samples are gone are left out.

    Parameters
    ----------
    kafka : how to reach Kafka
    chosen : the windows

    Returns
    -------
    SVG by the name of a file, ``PATIENT-WINDOW.svg``

    Raises
    ------
    BrokerError : when Kafka does not answer
    """
    drawn = {}
    async with SampleHistory(kafka) as history:
        for each in chosen:
            try:
                kept = await history.read(each.patient, each.start_ns - BEFORE_NS, each.end_ns)
            except NoSamplesError:
                continue
            name = f"{each.patient}-{each.id.rpartition('/')[2]}.svg"
            drawn[name] = await asyncio.to_thread(lambda strip: to_svg(draw_strip(strip)), strip_of(kept, each))
    return drawn


def write_strips(drawn: Mapping[str, str], directory: Path) -> None:
    """Write strips into a folder, which is made.

    Raises
    ------
    EcgStreamError : when a file cannot be written
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, svg in drawn.items():
            (directory / name).write_text(svg, encoding="utf-8")
    except OSError as error:
        raise EcgStreamError(
            f"--strips {directory} cannot be written ({error.strerror}): name another folder"
        ) from error


def strip_of(kept: StoredSamples, of: Disagreement) -> Strip:
    """Return the strip of a window and the seconds before it; times are seconds from midnight, UTC."""
    midnight_ns = kept.start_ns // DAY_NS * DAY_NS
    start_s, end_s = (of.start_ns - midnight_ns) / 1e9, (of.end_ns - midnight_ns) / 1e9
    return Strip(
        fs_hz=kept.fs_hz,
        leads=kept.leads,
        samples_mv=to_millivolts(kept.samples, kept.gain, kept.baseline),
        start_s=(kept.start_ns - midnight_ns) / 1e9,
        windows=(StripWindow(start_s=start_s, end_s=end_s, decision=of.shipped.decision, score=of.shipped.fused),),
        findings=(StripFinding(start_s=start_s, end_s=end_s, text=f"shadow: {_text(of.shadow)}"),),
    )


def _text(of: ScoredDecision) -> str:
    return of.decision if of.fused is None else f"{of.decision} {of.fused:.2f}"
