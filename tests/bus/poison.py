"""Every hostile samples message ever found, in one table: a name, the bytes, the key, and what the error says."""

import io
from dataclasses import dataclass
from typing import Any

import fastavro

from bus.sample_schemas import FINGERPRINT, READER
from bus.samples import _PREFIX, HEADER_BYTES, MARKER, MAX_CHUNK_S

INT64_MAX = 2**63 - 1

GOOD: dict[str, Any] = {
    "patient": "p1",
    "device": "test",
    "start_ns": 1_700_000_000_000_000_000,
    "start_index": 0,
    "fs_hz": 360.0,
    "leads": ["MLII", "V5"],
    "unit": "mV",
    "gain": [200.0, 200.0],
    "baseline": [1024, 1024],
    "count": 90,
    "samples": bytes(90 * 2 * 2),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Poison:
    """A message that must be refused.

    Attributes
    ----------
    name : what is wrong with it
    value : the message's bytes
    says : a regular expression that the error's text holds
    key : the message's key
    """

    name: str
    value: bytes | None
    says: str
    key: bytes | None = None


def written(**changes: Any) -> bytes:
    """A samples message with some fields changed, whether they make sense or not."""
    out = io.BytesIO()
    fastavro.schemaless_writer(out, READER, GOOD | changes)
    return _PREFIX + out.getvalue()


def _leads(count: int) -> dict[str, Any]:
    return {
        "leads": [f"L{number}" for number in range(count)],
        "gain": [200.0] * count,
        "baseline": [0] * count,
        "samples": bytes(90 * count * 2),
    }


_WHOLE = written()
_UNKNOWN = bytes(byte ^ 0xFF for byte in FINGERPRINT)
_LONG = int(MAX_CHUNK_S * GOOD["fs_hz"]) + 1

POISON = (
    Poison(name="no value", value=None, says="is empty"),
    Poison(name="an empty value", value=b"", says="is empty"),
    Poison(name="JSON", value=b'{"patient": "p1"}', says="starts with 7b22 and not c301"),
    Poison(name="the marker alone", value=MARKER, says="unknown schema version"),
    Poison(name="an unknown fingerprint", value=MARKER + _UNKNOWN + _WHOLE[HEADER_BYTES:], says="unknown schema"),
    Poison(name="the header alone", value=_PREFIX, says="not an Avro record"),
    Poison(name="truncated in the samples", value=_WHOLE[:-1], says="not an Avro record"),
    Poison(name="truncated in the fields", value=_WHOLE[:30], says="not an Avro record"),
    Poison(name="trailing bytes", value=_WHOLE + b"\x00", says="1 bytes stand behind the record"),
    Poison(name="two records in one message", value=_WHOLE + _WHOLE, says="stand behind the record"),
    Poison(name="a string of negative length", value=_PREFIX + b"\x01", says="not an Avro record|bytes stand behind"),
    Poison(name="a string of 2^62 bytes", value=_PREFIX + b"\xfe" * 8 + b"\x7f", says="not an Avro record"),
    Poison(name="a patient id that is no UTF-8", value=_PREFIX + b"\x04\xff\xfe" + _WHOLE[13:], says="an Avro record"),
    Poison(name="no patient id", value=written(patient=""), says="patient id is empty"),
    Poison(name="a patient id of 10,000 characters", value=written(patient="p" * 10_000), says="10000 characters"),
    Poison(name="a patient id with a line break", value=written(patient="p1\n"), says="only letters, digits"),
    Poison(name="a patient id with a null byte", value=written(patient="p\x00"), says="only letters, digits"),
    Poison(name="a patient id outside ASCII", value=written(patient="Müller"), says="only letters, digits"),
    Poison(name="the patient id ..", value=written(patient=".."), key=b"..", says="not . or .. alone"),
    Poison(name="the patient id .", value=written(patient="."), key=b".", says="not . or .. alone"),
    Poison(name="a device with a line break", value=written(device="d\nlevel=error"), says="cannot be printed"),
    Poison(name="a device that turns the writing around", value=written(device="d\u202e1"), says="cannot be printed"),
    Poison(name="a lead with an escape", value=written(leads=["II\x1b[2J", "V5"]), says="cannot be printed"),
    Poison(name="a key that is another patient", value=_WHOLE, key=b"p2", says="is not the patient id 'p1'"),
    Poison(name="a key that is no text", value=_WHOLE, key=b"\xff\xfe", says="is not the patient id"),
    Poison(name="an empty key", value=_WHOLE, key=b"", says="is not the patient id"),
    Poison(name="one byte too many", value=written(samples=bytes(361)), says="wrong count of bytes: 361"),
    Poison(name="one byte too few", value=written(samples=bytes(359)), says="wrong count of bytes: 359"),
    Poison(name="no samples", value=written(count=0, samples=b""), says="wrong count of bytes: 0"),
    Poison(name="a negative count", value=written(count=-90), says="wrong count of bytes"),
    Poison(name="a count of 2^31 - 1", value=written(count=2**31 - 1), says="wrong count of bytes"),
    Poison(name="fs 90 Hz", value=written(fs_hz=90.0), says="fs_hz=90"),
    Poison(name="fs 1001 Hz", value=written(fs_hz=1001.0), says="fs_hz=1001"),
    Poison(name="fs zero", value=written(fs_hz=0.0), says="fs_hz=0"),
    Poison(name="fs negative", value=written(fs_hz=-360.0), says="fs_hz=-360"),
    Poison(name="fs NaN", value=written(fs_hz=float("nan")), says="fs_hz=nan"),
    Poison(name="fs infinite", value=written(fs_hz=float("inf")), says="fs_hz=inf"),
    Poison(name="gain NaN", value=written(gain=[200.0, float("nan")]), says="gain=.*nan"),
    Poison(name="gain infinite", value=written(gain=[float("inf"), 200.0]), says="gain=.*inf"),
    Poison(name="gain zero", value=written(gain=[0.0, 200.0]), says="gain=.* is not in"),
    Poison(name="gain negative", value=written(gain=[-200.0, 200.0]), says="gain=.* is not in"),
    Poison(name="a gain that overflows float32", value=written(gain=[1e-300, 200.0]), says="gain=.* is not in"),
    Poison(name="a gain that leaves nothing", value=written(gain=[1e300, 200.0]), says="gain=.* is not in"),
    Poison(name="a gain too few", value=written(gain=[200.0]), says="1 gains and 2 baselines for 2 leads"),
    Poison(name="a baseline too many", value=written(baseline=[0, 0, 0]), says="2 gains and 3 baselines for 2 leads"),
    Poison(name="no leads", value=written(**_leads(0)), says="0 leads are outside 1 to 16"),
    Poison(name="17 leads", value=written(**_leads(17)), says="17 leads are outside 1 to 16"),
    Poison(name="a unit other than mV", value=written(unit="uV"), says="unit='uV' is not known"),
    Poison(name="a chunk of more than 10 s", value=written(count=_LONG, samples=bytes(_LONG * 4)), says="send shorter"),
    Poison(name="a negative index", value=written(start_index=-1), says="start_index=-1"),
    Poison(name="an index whose end overflows", value=written(start_index=INT64_MAX), says="start_index="),
    Poison(name="a time before 1970", value=written(start_ns=-1), says="start_ns=-1"),
    Poison(name="a time whose end overflows", value=written(start_ns=INT64_MAX), says="start_ns="),
    Poison(name="a lead name of 10,000", value=written(leads=["MLII", "V" * 10_000]), says="name has 10000"),
    Poison(name="a device name of 10,000", value=written(device="d" * 10_000), says="name has 10000"),
)  # fmt: skip
