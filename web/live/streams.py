"""Choice of the stream that is shown of a patient: one at a time, whatever else is sent. Pure.

A stream is what one device sends in one go: its source and its clock stay as they are, and its indices go on. Whatever
does not go on where the shown stream stands is another stream, and is only noted: two devices under one patient id are
never drawn as one trace, and a lone message with an impossible clock or index moves nothing. Another stream is shown
when the shown one has been silent for seconds, or when the alarm that is open rests on its device.
"""

from dataclasses import dataclass

from bus.samples import CLOCK_TOLERANCE_NS, Chunk, Source

AHEAD_S = 5.0  # a longer jump of the index is another stream until it is borne out
BACK_S = 20.0  # what lies no further back was there before; further back is another stream
SILENT_MS = 3000  # of the shown stream before another one takes its place
BORNE_OUT_S = 1.0  # of signal, in two messages or more, make another stream one that may be shown
MOST_STREAMS = 4  # of one patient are noted; the one that was heard longest ago makes room
DEVICES_MS = 10_000  # a stream that was heard so recently still sends
_NS = 1_000_000_000


@dataclass(slots=True, kw_only=True)
class Stream:
    """Known state of a stream.

    Attributes
    ----------
    source : what its messages have in common
    device : its name
    base_ns : time of its sample 0, ns UTC
    end_index : index after the newest sample
    sent_ms : when that was handed to Kafka, ms UTC
    samples, messages : how many have come
    chunk_ms : length of the newest message, ms
    """

    source: Source
    device: str
    base_ns: int
    fs_hz: float
    end_index: int
    sent_ms: int
    samples: int = 0
    messages: int = 0
    chunk_ms: float = 0.0

    @classmethod
    def of(cls, chunk: Chunk, sent_ms: int) -> "Stream":
        """Return the stream that begins with a message."""
        stream = cls(
            source=chunk.source,
            device=chunk.device,
            base_ns=chunk.base_ns,
            fs_hz=chunk.fs_hz,
            end_index=chunk.start_index,
            sent_ms=sent_ms,
        )
        stream.take(chunk, sent_ms)
        return stream

    def goes_on_with(self, chunk: Chunk) -> bool:
        """Return whether a message is of this stream: new, or sent again."""
        if not chunk.is_of_source(self.source):
            return False
        step = chunk.start_index - self.end_index
        if not -BACK_S * self.fs_hz <= step <= AHEAD_S * self.fs_hz:
            return False
        # A clock that was set between two messages without a sample between them leaves the stream as it is.
        return step == 0 or abs(self.base_ns - chunk.base_ns) <= CLOCK_TOLERANCE_NS

    def take(self, chunk: Chunk, sent_ms: int) -> None:
        """Note a message that goes on."""
        new = max(0, chunk.end_index - max(self.end_index, chunk.start_index))
        if new:
            self.base_ns, self.end_index, self.sent_ms = chunk.base_ns, chunk.end_index, sent_ms
            self.samples += new
            self.messages += 1
            self.chunk_ms = len(chunk.samples) * 1000 / chunk.fs_hz

    @property
    def borne_out(self) -> bool:
        """Return whether it is more than a lone message."""
        return self.messages > 1 and self.samples >= BORNE_OUT_S * self.fs_hz

    def silent_at(self, sent_ms: int) -> bool:
        """Return whether nothing came of it for so long that another may take its place."""
        return sent_ms - self.sent_ms > max(SILENT_MS, 3 * self.chunk_ms)


@dataclass(slots=True)
class Streams:
    """A patient's streams.

    Attributes
    ----------
    shown : the one that is shown; None before the first message
    others : what else was heard lately, in the order in which it was heard
    """

    shown: Stream | None = None
    others: tuple[Stream, ...] = ()

    def take(self, chunk: Chunk, sent_ms: int, *, wanted: str | None) -> bool:
        """Note a message; whether it is of the stream that is shown.

        Parameters
        ----------
        sent_ms : when it was handed to Kafka, ms UTC
        wanted : the device that the most urgent alarm rests on; None where no alarm is open
        """
        if self.shown is None:
            self.shown = Stream.of(chunk, sent_ms)
            return True
        if self.shown.goes_on_with(chunk):
            self.shown.take(chunk, sent_ms)
            return True
        stream = next((each for each in self.others if each.goes_on_with(chunk)), None)
        if stream is None:
            stream = Stream.of(chunk, sent_ms)
        else:
            stream.take(chunk, sent_ms)
        others = tuple(each for each in self.others if each is not stream)
        rests_on = wanted == stream.device != self.shown.device
        if stream.borne_out and (rests_on or self.shown.silent_at(sent_ms)):
            self.shown, stream = stream, self.shown
            self.others = (stream, *others)[-MOST_STREAMS + 1 :]
            return True
        self.others = (*others, stream)[-MOST_STREAMS + 1 :]
        return False

    def devices(self, now_ms: int) -> tuple[str, ...]:
        """Return the device of each stream that sends, the shown one's first; a device with two streams twice."""
        if self.shown is None:
            return ()
        sending = [each.device for each in self.others if each.borne_out and now_ms - each.sent_ms <= DEVICES_MS]
        return (self.shown.device, *sending)
