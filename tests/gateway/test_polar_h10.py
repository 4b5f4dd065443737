"""The decoding of docs/examples/polar_h10.py, on packets in the form that the strap sends."""

import importlib.util
import sys
from itertools import pairwise
from types import ModuleType

import numpy as np
import pytest

from tests.deploy.programs import ROOT

LAST_NS = 599_618_164_814_402_794
# Type, time of the last sample, form, then 4, -1, 321, -8388608 and 8388607 uV.
PACKET = bytes.fromhex("00") + LAST_NS.to_bytes(8, "little") + bytes.fromhex("00 040000 ffffff 410100 000080 ffff7f")


@pytest.fixture
def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("polar_h10", ROOT / "docs" / "examples" / "polar_h10.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["polar_h10"] = module  # dataclasses ask for it
    spec.loader.exec_module(module)
    return module


def test_a_packet_is_decoded(example: ModuleType) -> None:
    packet = example.decode(PACKET)
    np.testing.assert_array_equal(packet.millivolts * 1000, [4, -1, 321, -(2**23), 2**23 - 1])
    assert packet.first_ns == LAST_NS - 4 * 10**9 // 130


def test_packets_that_follow_each_other_have_no_gap_and_a_lost_one_leaves_its_length(example: ModuleType) -> None:
    times = [LAST_NS + number * 73 * 10**9 // 130 for number in (0, 1, 3)]
    starts = [
        example.decode(bytes([0]) + time_ns.to_bytes(8, "little") + bytes(1 + 3 * 73)).first_ns for time_ns in times
    ]
    steps = [round((later - earlier) * 130 / 1e9) for earlier, later in pairwise(starts)]
    assert steps == [73, 146]


OTHERS = (b"", PACKET[:10], PACKET[:-1], b"\x02" + PACKET[1:], PACKET[:9] + b"\x01" + PACKET[10:])


@pytest.mark.parametrize("packet", OTHERS)
def test_what_is_no_ecg_is_refused(example: ModuleType, packet: bytes) -> None:
    with pytest.raises(example.PacketError):
        example.decode(packet)
