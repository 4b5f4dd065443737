"""Chunks for tests of the gateway."""

from bus.samples import Chunk
from tests.gateway.serving import counting

FS_HZ = 250.0
STEP_NS = 4_000_000


def chunk(start: int, count: int, *, origin_ns: int = 10**18, device: str = "holter", patient: str = "p1") -> Chunk:
    """A chunk whose samples tell their place."""
    return Chunk(
        patient=patient,
        device=device,
        start_ns=origin_ns + start * STEP_NS,
        start_index=start,
        fs_hz=FS_HZ,
        leads=("II",),
        gain=(1000.0,),
        baseline=(0,),
        samples=counting(start, count),
    )
