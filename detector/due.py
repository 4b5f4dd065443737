"""Windows and rapid checks that are due: plain values, with all that a verdict says of where they come from."""

from dataclasses import dataclass
from typing import NamedTuple

from bus.samples import Source
from ecg.records import Int16Array


class StreamId(NamedTuple):
    """Identity of one stream of a patient's.

    Attributes
    ----------
    patient : the patient id
    start_ns : time of the stream's sample 0, ns UTC: part of the id of all that is published of it
    first_window : the first window that it could give out: a device that comes back and counts on begins another
        stream under the same start
    """

    patient: str
    start_ns: int
    first_window: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DueWindow:
    """A window ready to be judged, with the signal before it.

    Attributes
    ----------
    stream, source : the stream that it is of, and what that stream's chunks have in common
    window : number on the stream's grid
    start_ns, end_ns : its span by the device's clock, ns UTC
    new_from_ns : from where on it holds what no window before it held: beats and findings are told of that part
    hop_s : from the start of one window to that of the next, s
    columns : columns of ``source.leads`` in ``segment``, the one to judge first
    segment : (segment_samples, len(columns)) int16, ``MISSING`` where nothing was received
    second : seconds from the stream's sample 0 to its end
    filtered_to : the second up to which what was due of the stream before has it filtered; None where that does not
        hold any more
    gap_before_s, missing_samples, duplicate_samples, clock_jump_ns, clock_jumps_abs_ns : see
        ``bus.messages.Continuity``
    offset : offset of the message that made the window due
    """

    stream: StreamId
    source: Source
    window: int
    start_ns: int
    new_from_ns: int
    end_ns: int
    hop_s: int
    columns: tuple[int, ...]
    segment: Int16Array
    second: int
    filtered_to: int | None
    gap_before_s: float
    missing_samples: int
    duplicate_samples: int
    clock_jump_ns: int
    clock_jumps_abs_ns: int
    offset: int

    @property
    def id(self) -> str:
        """Id of the verdict on it."""
        return f"{self.stream.patient}/{self.stream.start_ns}/{self.window}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RapidCheck:
    """The newest four seconds of a stream, to be checked for what kills within minutes (``ecg.lethal``).

    Attributes
    ----------
    stream, source : as of a window
    second : seconds from the stream's sample 0 to its end: its number
    start_ns, end_ns : its span by the device's clock, ns UTC
    columns : columns of ``source.leads`` in ``samples``, the lead to judge first
    samples : (n, len(columns)) int16, ``MISSING`` where nothing was received
    segment : as of a window, where the signal is to be filtered anew, else None
    filtered_to : as of a window
    offset : offset of the message that made it due
    """

    stream: StreamId
    source: Source
    second: int
    start_ns: int
    end_ns: int
    columns: tuple[int, ...]
    samples: Int16Array
    segment: Int16Array | None
    filtered_to: int | None
    offset: int

    @property
    def id(self) -> str:
        """Id of the urgent message on it."""
        return f"{self.stream.patient}/{self.stream.start_ns}/{self.second}s"

    def lead(self, judged: int) -> str:
        """Name of the lead in a column of ``samples``."""
        return self.source.leads[self.columns[judged]]


# Of a stream, in order: a rapid check comes before the window whose end it lies at or before.
Due = DueWindow | RapidCheck
