"""The signals of a recording that are its ECG: chosen by what the caller asks, else by name, unit and rate."""

from collections.abc import Sequence
from dataclasses import dataclass

from ecg.errors import EcgStreamError
from ecg.leads import choose_leads, find_lead, knows_lead
from ecg.quantise import ADC_GAIN, ADC_UNIT
from ecg.records import MIN_FS_HZ
from ecg.resampling import MAX_READ_HZ
from ecg.signal_names import is_ecg, other_signals
from ecg.units import millivolts_in

_MUSCLE_AND_BRAIN = frozenset({"EEG", "EMG"})  # as an ECG in microvolts and rate: no name, no telling
_NAMED = 12  # signals that a message names


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """A signal of a file.

    Attributes
    ----------
    name : as the file has it; "" where it has none
    unit : as the file spells it
    fs_hz : its sampling rate, Hz
    dead : why it holds no samples; "" where it does
    """

    name: str
    unit: str
    fs_hz: float
    dead: str = ""

    def __str__(self) -> str:
        """Describe it in a message."""
        return f"{self.name} ({self.fs_hz:g} Hz, {self.unit.strip()[:20] or 'no unit'})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The signals that are read.

    Attributes
    ----------
    columns : their numbers in the file
    leads : their names, each another
    fs_hz : the rate of all
    units : of each, as it is read: what the caller said, else what the file says
    remarks : what was left out or read otherwise than the file says, and why
    """

    columns: tuple[int, ...]
    leads: tuple[str, ...]
    fs_hz: float
    units: tuple[str, ...]
    remarks: tuple[str, ...]

    def gains(self, per_unit: Sequence[float]) -> tuple[float, ...]:
        """Return ADC units per mV of each.

        Parameters
        ----------
        per_unit : of each signal that is read, ADC units per unit that the file says
        """
        return tuple(
            ADC_GAIN if unit.lower() == ADC_UNIT else gain / (millivolts_in(unit) or 1.0)
            for gain, unit in zip(per_unit, self.units, strict=True)
        )


def choose_channels(
    channels: Sequence[Channel], *, file: str, leads: tuple[str, ...] | None, unit: str | None, fs_hz: float | None
) -> Choice:
    """Choose the signals to read.

    Parameters
    ----------
    channels : all of the file
    file : its name, for messages
    leads : names of those that somebody wants; all that are an ECG by default
    unit : what somebody says is theirs, in place of what the file says
    fs_hz : the sampling rate that somebody says is theirs

    Raises
    ------
    EcgStreamError : when none is an ECG, one that is wanted is not there or cannot be read, or rates differ
    """
    check_unit(unit)
    names = _unique([channel.name for channel in channels])
    if not channels:
        raise EcgStreamError(f"{file} holds no signal, so no ECG: give the file that holds the samples")
    remarks: list[str] = []
    if leads is not None:
        columns = _wanted(channels, names, leads, file=file, unit=unit, fs_hz=fs_hz)
    else:
        columns, remarks = _by_name(channels, names, file=file, unit=unit, fs_hz=fs_hz)
    rate = channels[columns[0]].fs_hz
    if fs_hz is not None and abs(fs_hz / rate - 1) > 1e-9:
        remarks.append(f"read at {fs_hz:g} Hz, as asked; the file says {rate:g} Hz")
        rate = fs_hz
    units = tuple(unit or channels[column].unit for column in columns)
    said = {channels[column].unit.strip() for column in columns}
    if unit is not None and any(millivolts_in(each) != millivolts_in(unit) for each in said):
        remarks.append(f"read in {unit}, as asked; the file says {', '.join(sorted(said)) or 'no unit'}")
    return Choice(
        columns=tuple(columns),
        leads=tuple(names[column] for column in columns),
        fs_hz=rate,
        units=units,
        remarks=tuple(remarks),
    )


def check_unit(unit: str | None) -> None:
    """Refuse a unit that nobody knows.

    Raises
    ------
    EcgStreamError : when it is neither a voltage nor "adc"
    """
    if unit is not None and unit.lower() != ADC_UNIT and millivolts_in(unit) is None:
        raise EcgStreamError(f"unit={unit!r} is not known: give mV, uV, V or adc")


def _unique(names: Sequence[str]) -> list[str]:
    """The names, each another: "" becomes "signal 0", the second "ECG" becomes "ECG (2)"."""
    found: list[str] = []
    for number, name in enumerate(names):
        plain = name.strip() or f"signal {number}"
        times = 1 + sum(other.strip() == plain for other in names[:number])
        found.append(plain if times == 1 else f"{plain} ({times})")
    return found


def _wanted(
    channels: Sequence[Channel],
    names: Sequence[str],
    leads: tuple[str, ...],
    *,
    file: str,
    unit: str | None,
    fs_hz: float | None,
) -> list[int]:
    columns: list[int] = []
    for lead in leads:
        found = _find(lead, [channel.name for channel in channels], names, file)
        columns += [column for column in found if column not in columns]
    for column in columns:
        channel = channels[column]
        if channel.dead:
            raise EcgStreamError(f"{file}: lead {names[column]} {channel.dead}: name another (leads)")
        _check_voltage(channel, file, unit)
        if fs_hz is None:
            _check_rate([channel], file)
    rates = {channels[column].fs_hz for column in columns}
    if len(rates) > 1:
        differ = ", ".join(f"{names[column]} ({channels[column].fs_hz:g} Hz)" for column in columns)
        raise EcgStreamError(f"{file}: the leads differ in rate, {differ}: name those of one rate (leads)")
    return columns


def _find(lead: str, own: Sequence[str], names: Sequence[str], file: str) -> list[int]:
    """The columns of a lead that is wanted: all of that very name, else the only one that is the same lead."""
    same = [column for column, name in enumerate(own) if name.strip().lower() == lead.strip().lower()]
    found = find_lead(lead, names)
    if not same and found is None:
        there = ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")
        raise EcgStreamError(f"{file} has no lead {lead!r}: name one of {there}")
    return same or [found or 0]


def _by_name(
    channels: Sequence[Channel], names: Sequence[str], *, file: str, unit: str | None, fs_hz: float | None
) -> tuple[list[int], list[str]]:
    remarks = [f"{names[column]} {channel.dead}: left out" for column, channel in enumerate(channels) if channel.dead]
    candidates = _candidates(channels, file=file)
    voltages = [column for column in candidates if _is_voltage(channels[column])]
    if unit is not None:
        voltages = [c for c in candidates if c in voltages or not channels[c].unit.strip()] or candidates
    if not voltages:
        _check_voltage(channels[candidates[0]], file, unit)
    in_range = [c for c in voltages if fs_hz is not None or MIN_FS_HZ <= channels[c].fs_hz <= MAX_READ_HZ]
    if not in_range:
        _check_rate([channels[column] for column in voltages], file)
    judged = in_range[choose_leads([names[column] for column in in_range])[0]]
    rate = channels[judged].fs_hz
    columns = [column for column in in_range if channels[column].fs_hz == rate]
    remarks += [
        f"{names[column]} is sampled at {channels[column].fs_hz:g} Hz, {names[judged]} at {rate:g} Hz: left out; name "
        "it to read it (leads)"
        for column in voltages
        if column not in columns
    ]
    return columns, remarks


def _candidates(channels: Sequence[Channel], *, file: str) -> list[int]:
    """The signals that are an ECG by name: those called so and leads, else what is called nothing else."""
    alive = [column for column, channel in enumerate(channels) if not channel.dead]
    others = other_signals([channel.name for channel in channels])
    free = [column for column in alive if others[column] is None]
    leads = [column for column in free if knows_lead(channels[column].name)]
    called = [column for column in alive if is_ecg(channels[column].name)]
    if called or any(others[column] in _MUSCLE_AND_BRAIN for column in alive):
        free = sorted({*called, *leads})
    if not free:
        there = ", ".join(map(str, channels[:_NAMED])) + (", ..." if len(channels) > _NAMED else "")
        raise EcgStreamError(f"{file}: no signal with samples is called an ECG, it has {there}: name it (leads)")
    return free


def _is_voltage(channel: Channel) -> bool:
    return millivolts_in(channel.unit) is not None


def _check_voltage(channel: Channel, file: str, unit: str | None) -> None:
    if unit is None and not _is_voltage(channel):
        says = f"in {channel.unit.strip()[:20]!r}, which is no voltage" if channel.unit.strip() else "without a unit"
        raise EcgStreamError(
            f"{file}: lead {channel.name} is {says}: if it is an ECG, give its unit (mV, uV, V or adc)"
        )


def _check_rate(channels: Sequence[Channel], file: str) -> None:
    low = [channel for channel in channels if channel.fs_hz < MIN_FS_HZ]
    if low:
        raise EcgStreamError(
            f"{file}: {', '.join(map(str, low[:_NAMED]))} is sampled at less than {MIN_FS_HZ:g} Hz, too slow to draw a "
            "QRS: give a recording of the same heart at a higher rate"
        )
    high = [channel for channel in channels if channel.fs_hz > MAX_READ_HZ]
    if high:
        raise EcgStreamError(
            f"{file}: {', '.join(map(str, high[:_NAMED]))} is sampled at more than {MAX_READ_HZ:g} Hz, as no ECG is: "
            "if the rate is wrong, give the right one in Hz"
        )
