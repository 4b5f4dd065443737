import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from web.live.frames import ANEW, HOLE, Frame, FrameError, decode, encode

frames = st.builds(
    lambda patient, flags, fs_hz, start_ms, start_index, leads, count, seed: Frame(
        patient=patient,
        flags=flags,
        fs_hz=fs_hz,
        start_ms=start_ms,
        start_index=float(start_index),
        sent_ms=start_ms + 1,
        leads=tuple(leads),
        gain=tuple(float(2**n) for n in range(len(leads))),
        baseline=tuple(range(-1, len(leads) - 1)),
        samples=np.random.default_rng(seed).integers(-32768, 32767, (count, len(leads)), np.int16),
    ),
    patient=st.from_regex(r"[A-Za-z0-9_:@+-][A-Za-z0-9._:@+-]{0,19}", fullmatch=True),
    flags=st.sampled_from([0, HOLE, ANEW, HOLE | ANEW]),
    fs_hz=st.sampled_from([100.0, 250.5, 360.0]),
    start_ms=st.floats(-1e15, 1e15),
    start_index=st.integers(0, 2**53),
    leads=st.lists(st.text(max_size=40), min_size=1, max_size=4),
    count=st.integers(0, 20),
    seed=st.integers(0, 9),
)


def fields_of(frame: Frame) -> list[object]:
    return [
        *(frame.patient, frame.flags, frame.fs_hz, frame.start_ms, frame.start_index, frame.sent_ms),
        *(frame.leads, frame.gain, frame.baseline, frame.samples.tolist()),
    ]


@given(st.lists(frames, max_size=4))
def test_frames_behind_each_other_are_read_as_they_were_written(sent: list[Frame]) -> None:
    read = list(decode(b"".join(map(encode, sent))))
    assert [fields_of(frame) for frame in read] == [fields_of(frame) for frame in sent]


@given(frames)
def test_each_frame_ends_where_an_array_of_doubles_may_begin(frame: Frame) -> None:
    assert len(encode(frame)) % 8 == 0


@given(frames, st.data())
def test_a_frame_that_is_cut_off_is_refused(frame: Frame, data: st.DataObject) -> None:
    whole = encode(frame)
    cut = whole[: data.draw(st.integers(1, len(whole) - 1))]
    with pytest.raises(FrameError):
        list(decode(cut))


def test_bytes_of_another_version_are_refused() -> None:
    with pytest.raises(FrameError, match="version 2 of the frame is not 1: reload the page"):
        list(decode(b"\x02" + bytes(63)))


def test_the_layout_is_the_one_that_is_told() -> None:
    frame = Frame(
        patient="p1",
        flags=HOLE,
        fs_hz=360.0,
        start_ms=1.5,
        start_index=7.0,
        sent_ms=2.5,
        leads=("II",),
        gain=(200.0,),
        baseline=(1024,),
        samples=np.array([[1], [-32768], [3]], np.int16),
    )
    sent = encode(frame)
    assert sent.hex() == (
        "01 01 02 01 48000000 0000000000807640 000000000000f83f 0000000000001c40 0000000000000440 03000000 3e000000"
        "7031 00004843 00040000 02 4949 00 0100 0080 0300 00000000"
    ).replace(" ", "")
