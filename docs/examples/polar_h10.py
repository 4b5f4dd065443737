"""A Polar H10 chest strap as a live patient: its ECG by Bluetooth, onward to a gateway.

    pip install bleak
    ECGSTREAM_CLIENT_TOKEN=ecgs_... python docs/examples/polar_h10.py bed-12

The strap measures one lead at 130 Hz between its two electrodes, sent here as lead I; wet them. Its packets are
described in Polar's "Measurement Data Specification" for the H10: type, time of the last sample in ns since 2000 by the
strap's clock, form, and 24-bit samples in uV.
"""

import asyncio
import os
import sys
import time
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ecgstream.client import Stream

FS_HZ = 130
CONTROL = "FB005C81-02E7-F387-1CAD-8ACD2D8DF0C8"
DATA = "FB005C82-02E7-F387-1CAD-8ACD2D8DF0C8"
START_ECG = bytes([0x02, 0x00, 0x00, 0x01, 0x82, 0x00, 0x01, 0x01, 0x0E, 0x00])  # 130 Hz, 14 bit
ECG, FORM, HEADER_BYTES, SAMPLE_BYTES = 0, 0, 10, 3


class PacketError(ValueError):
    """A packet that holds no ECG."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Packet:
    """Samples of one packet.

    Attributes
    ----------
    first_ns : time of the first sample by the strap's clock, ns since 2000
    millivolts : (n,) float64
    """

    first_ns: int
    millivolts: npt.NDArray[np.float64]


def decode(packet: bytes) -> Packet:
    """Return the samples of a packet.

    Raises
    ------
    PacketError : when it is of another kind, or cut off
    """
    body = packet[HEADER_BYTES:]
    if len(packet) <= HEADER_BYTES or len(body) % SAMPLE_BYTES or packet[0] != ECG or packet[9] != FORM:
        raise PacketError(f"a packet of {len(packet)} bytes, type {packet[:1].hex()}, holds no ECG of form 0")
    rows = np.frombuffer(body, np.uint8).reshape(-1, SAMPLE_BYTES).astype(np.int32)
    microvolts = rows[:, 0] | rows[:, 1] << 8 | rows[:, 2] << 16
    microvolts -= (microvolts & 0x800000) << 1
    last_ns = int.from_bytes(packet[1:9], "little")
    return Packet(first_ns=last_ns - (len(rows) - 1) * 10**9 // FS_HZ, millivolts=microvolts / 1000)


async def main(patient: str) -> None:
    """Find a strap, and send what it measures until Ctrl-C."""
    from bleak import BleakClient, BleakScanner  # noqa: PLC0415 # the decoding needs no Bluetooth

    strap = await BleakScanner.find_device_by_filter(lambda device, _: (device.name or "").startswith("Polar H10"))
    if strap is None:
        sys.exit("no Polar H10 is near: wet its electrodes and put it on, it sleeps otherwise")
    packets: asyncio.Queue[bytes] = asyncio.Queue()
    token = os.environ["ECGSTREAM_CLIENT_TOKEN"]
    async with (
        BleakClient(strap) as bluetooth,
        Stream(patient=patient, fs_hz=FS_HZ, leads=["I"], token=token) as stream,
    ):
        await bluetooth.start_notify(DATA, lambda _, data: packets.put_nowait(bytes(data)))
        await bluetooth.write_gatt_char(CONTROL, START_ECG, response=True)
        behind_ns: int | None = None  # of the strap's clock, which nobody has set
        while True:
            packet = decode(await packets.get())
            if behind_ns is None:
                behind_ns = time.time_ns() - packet.first_ns - len(packet.millivolts) * 10**9 // FS_HZ
            # By the strap's own times: a packet that was lost on the way leaves a gap of its length.
            await stream.send(packet.millivolts, start_ns=packet.first_ns + behind_ns)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
