import contextlib
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.samples import BadChunkError, Chunk, decode, encode
from ecg.records import MISSING
from gateway.forms import FRAME, description_of, from_avro, from_frame, from_int16, from_json
from gateway.refusals import RefusedError
from tests.gateway.chunks import chunk

SAID = {"patient": "p1", "fs_hz": "250", "leads": "II,V1"}
PLACE = {"start_index": 7, "start_ns": 10**18}


@given(digits=st.lists(st.tuples(st.integers(-32768, 32767), st.integers(-32768, 32767)), min_size=1, max_size=50))
def test_int16_is_read_as_it_was_sent(digits: list[tuple[int, int]]) -> None:
    sent = np.array(digits, "<i2")
    read = from_int16(sent.tobytes(), SAID | PLACE, device="d")
    framed = from_frame(FRAME.pack(7, 10**18) + sent.tobytes(), "p1", description_of(SAID), device="d")
    for each in (read, framed, decode(encode(read), key=b"p1")):
        assert np.array_equal(each.samples, sent)
        assert (each.start_index, each.start_ns, each.patient, each.device) == (7, 10**18, "p1", "d")
        assert (each.leads, each.gain, each.baseline) == (("II", "V1"), (1000.0, 1000.0), (0, 0))


@given(text=st.text(max_size=60) | st.binary(max_size=60).map(lambda b: b.decode("latin1")))
def test_whatever_stands_in_a_body_is_a_chunk_or_refused(text: str) -> None:
    reads: tuple[Callable[[], Chunk], ...] = (
        lambda: from_json(text, SAID, device="d"),
        lambda: from_int16(text.encode(), SAID | PLACE, device="d"),
        lambda: from_frame(text.encode(), "p1", description_of(SAID), device="d"),
        lambda: from_avro(text.encode(), device="d"),
    )
    for read in reads:
        with contextlib.suppress(BadChunkError, RefusedError):
            encode(read())


def in_json(**fields: Any) -> str:
    return json.dumps(PLACE | {"fs_hz": 250, "patient": "p1"} | fields)


@pytest.mark.parametrize(
    ("fields", "digits", "gain"),
    [
        ({"samples": [0.5, None, -0.001]}, [500, MISSING, -1], 1000.0),
        ({"samples": [500, -1], "unit": "uV"}, [500, -1], 1000.0),
        ({"samples": [500, -1], "unit": "\N{GREEK SMALL LETTER MU}V"}, [500, -1], 1000.0),
        ({"samples": [5, -1], "gain": 200}, [5, -1], 200.0),
        ({"samples": [[5], [-1]], "gain": [200]}, [5, -1], 200.0),
        ({"samples": [0.0005], "unit": "V"}, [500], 1000.0),
    ],
)
def test_json_is_read_in_its_unit(fields: dict[str, Any], digits: list[int], gain: float) -> None:
    read = from_json(in_json(**fields), {}, device="d")
    assert (read.samples[:, 0].tolist(), read.gain) == (digits, (gain,))


@pytest.mark.parametrize(
    ("fields", "remedy"),
    [
        ({"samples": [40.0]}, "correct unit"),
        ({"samples": [1.0], "unit": "bar"}, "say mV"),
        ({"samples": [0.5], "gain": 200}, "say unit"),
        ({"samples": [40_000], "gain": 200}, "scale them down"),
        ({"samples": []}, "give each instant"),
        ({"samples": [[1, 2]]}, "give each instant"),
        ({"samples": [[1], [2, 3]]}, "as many as there are leads"),
        ({"samples": "1,2"}, "as many as there are leads"),
        ({"samples": [1e400]}, "write null"),
        ({"samples": [1], "start_index": -1}, "start_index"),
        ({"samples": [1], "start_ns": None}, "start_ns"),
        ({"samples": [1], "fs_hz": 20}, "fs_hz"),
        ({"samples": [1], "fs_hz": [[250]]}, "correct them"),
        ({"samples": [1], "leads": []}, "leads"),
        ({"samples": [1], "gain": {"II": 1}}, "gain"),
        ({"samples": [1], "gain": [1, 2]}, "as many"),
    ],
)
def test_json_that_is_no_chunk_is_refused_with_its_remedy(fields: dict[str, Any], remedy: str) -> None:
    with pytest.raises(BadChunkError, match=remedy):
        from_json(in_json(**fields), {}, device="d")


def test_leads_have_the_names_of_the_table_and_strange_ones_stay() -> None:
    read = from_int16(b"\0" * 8, SAID | PLACE | {"leads": "MDC_ECG_LEAD_II,lead1,DIII,patch"}, device="d")
    assert read.leads == ("II", "I", "III", "patch")


def test_leads_that_would_be_one_keep_their_names() -> None:
    assert from_int16(b"\0" * 4, SAID | PLACE | {"leads": "II,DII"}, device="d").leads == ("II", "DII")


def test_an_avro_chunk_names_the_device_of_the_token() -> None:
    sent = encode(chunk(0, 50))
    assert from_avro(sent, device="holter").end_index == 50
    with pytest.raises(RefusedError, match="'strap', whose token came"):
        from_avro(sent, device="strap")
