"""Lines that a device writes above its table: sampling rate, unit, lead, and the columns' names."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ecg.leads import knows_lead
from ecg.signal_names import is_ecg
from ecg.units import millivolts_in

_COMMENT = re.compile(r"^\s*(?:#|%|//|;|\*)+\s*")
_PAIR = re.compile(r"^(?P<key>[^:=,;\t]{1,60}?)\s*[:=,;\t]\s*(?P<value>.*?)[\s,;]*$")
# A rate is told by its unit in any language, or by the key.
_HERTZ = re.compile(
    r"(?P<rate>\d+(?:[.,]\d+)?)\s*(?P<kilo>k?)(?:hz|hertz|герц|гц|赫兹|赫茲|ヘルツ|헤르츠|sps|samples/s)", re.IGNORECASE
)
_RATE_KEY = re.compile(
    r"sampl|abtast|muestr|amostr|échantillon|echantillon|campion|frequen|fréquen|frecuen|^fs$|^f_s$|^sfreq$|\brate\b|"
    r"bemonster|próbkow|дискретизац|采样|サンプリング|\[hz\]|\(hz\)",
    re.IGNORECASE,
)
_NO_RATE_KEY = re.compile(
    r"heart|herz|filter|notch|cut|power|mains|count|number of|size|card|accel|imu|gyro|emg|resp|ppg"
)
_NUMBER = re.compile(r"^(?P<number>\d+(?:[.,]\d+)?)\b")
_UNIT_KEY = re.compile(r"unit|einheit|unidad|unité|unità|единиц|单位|単位|eenheid|jednost", re.IGNORECASE)
# PLUX's datasheets: an ECG sensor's output is VCC (counts / 2^bits - 1/2) / gain, in V.
_PLUX_ECG = {"bitalino": (3.3, 1100.0), "plux": (3.0, 1019.0)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Preamble:
    """Knowledge that stands above a table.

    Attributes
    ----------
    fs_hz : sampling rate in Hz; None where it is not said
    unit : of the ECG, as it is spelled; None where it is not said
    lead : the name of the one lead; None where it is not said
    columns : names of the table's columns; empty where they are not said
    per_count_mv : by a column's name, mV of one ADC count
    device : what wrote the table, as far as it matters: "OpenBCI"
    """

    fs_hz: float | None = None
    unit: str | None = None
    lead: str | None = None
    columns: tuple[str, ...] = ()
    per_count_mv: Mapping[str, float] = field(default_factory=dict)
    device: str | None = None


def read_preamble(lines: Sequence[str]) -> Preamble:
    """Return what the lines above a table say.

    Parameters
    ----------
    lines : as they stand, comments among them
    """
    bare = [_COMMENT.sub("", line).strip() for line in lines]
    signals = next((found for line in bare if line.startswith("{") and (found := _opensignals(line))), None)
    if signals is not None:
        return signals
    pairs = [
        (match["key"].strip(" \"'"), match["value"].strip(" \"'")) for line in bare if (match := _PAIR.match(line))
    ]
    return Preamble(
        fs_hz=_first(map(_rate, pairs)),
        unit=_first(_unit(key, value) for key, value in pairs),
        lead=_first(value for _, value in pairs if len(value) < 40 and (knows_lead(value) or is_ecg(value))),
        device="OpenBCI" if any("openbci" in line.lower() for line in bare) else None,
    )


def _first(found: Iterable[Any]) -> Any:
    return next((each for each in found if each is not None), None)


def _rate(pair: tuple[str, str]) -> float | None:
    key, value = pair
    if _NO_RATE_KEY.search(key.lower()):
        return None
    hertz = _HERTZ.search(value)
    if hertz:
        return float(hertz["rate"].replace(",", ".")) * (1000 if hertz["kilo"] else 1)
    number = _NUMBER.match(value) if _RATE_KEY.search(key) else None
    return float(number["number"].replace(",", ".")) if number else None


def _unit(key: str, value: str) -> str | None:
    if millivolts_in(value) is None:
        return None
    return value if len(value) > 1 or _UNIT_KEY.search(key) else None  # "V" alone may be a chest lead


def _opensignals(line: str) -> Preamble | None:
    """The header of OpenSignals (BITalino, biosignalsplux): devices with their columns side by side."""
    try:
        devices = json.loads(line)
        columns: list[str] = []
        per_count: dict[str, float] = {}
        rates = set()
        for device in devices.values():
            # What is no sensor is a counter or a digital line: DI is no lead there.
            names = [name if name == "nSeq" else f"digital {name}" for name in map(str, device["column"])]
            sensors = [str(sensor) for sensor in device.get("sensor", [])]
            resolution = list(device.get("resolution", []))[-len(sensors) :] if sensors else []
            kind = str(device.get("device", "")).lower()
            gain = next((values for known, values in _PLUX_ECG.items() if known in kind), None)
            for place, sensor in enumerate(reversed(sensors), start=1):
                if place > len(names):
                    break
                if sensor.upper() in {"RAW", "CUSTOM", ""}:
                    names[-place] = names[-place].removeprefix("digital ")
                    continue
                # The last columns are the sensors; two of a kind keep their channel's name apart.
                name = sensor if sensors.count(sensor) == 1 else f"{sensor} {device['column'][-place]}"
                names[-place] = name
                if gain and is_ecg(name) and place <= len(resolution):
                    volts, factor = gain
                    per_count[name] = 1e3 * volts / factor / 2 ** int(resolution[-place])
            columns += names
            rates.add(float(device["sampling rate"]))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError):
        return None
    if len(rates) != 1:
        return None
    return Preamble(fs_hz=rates.pop(), columns=tuple(columns), per_count_mv=per_count)
