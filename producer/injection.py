"""Faults that strike a patient's stream, in order."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from bus.samples import Chunk
from ecg.records import Float32Array, Record
from producer.faults import Strikes, clock_jumps, duplicates, gaps, lead_off, missing, noisy, reordered
from producer.noise import noise_for
from producer.settings import FaultSettings
from producer.streams import Patient


def with_faults(
    chunks: Iterable[Chunk],
    patient: Patient,
    faults: FaultSettings,
    *,
    noise_mv: Float32Array | None = None,
) -> Iterator[Chunk]:
    """A patient's stream with what goes wrong: first at the patient, then in the device, last on the line."""

    def strikes(name: str, per_hour: float, longest_s: float) -> Strikes:
        return Strikes(seed=faults.seed, patient=patient.id, name=name, per_hour=per_hour, longest_s=longest_s)

    stream = iter(chunks)
    if noise_mv is not None:
        stream = noisy(stream, noise_mv)
    if faults.lead_off_per_hour:
        off = strikes("lead_off", faults.lead_off_per_hour, faults.lead_off_s)
        stream = lead_off(stream, off, shown_as=faults.lead_off_as)
    if faults.missing_per_hour:
        stream = missing(stream, strikes("missing", faults.missing_per_hour, faults.missing_s))
    if faults.gaps_per_hour:
        stream = gaps(stream, strikes("gaps", faults.gaps_per_hour, faults.gap_s))
    if faults.clock_jumps_per_hour:
        jumps = strikes("clock_jumps", faults.clock_jumps_per_hour, faults.clock_jump_s)
        stream = clock_jumps(stream, jumps)
    if faults.reordered:
        stream = reordered(stream, seed=faults.seed, patient=patient.id, share=faults.reordered)
    if faults.duplicates:
        stream = duplicates(stream, seed=faults.seed, patient=patient.id, share=faults.duplicates)
    return stream


def noise_by_record(patients: Sequence[Patient], noise: Record, snr_db: float) -> Mapping[str, Float32Array]:
    """The noise for each record that the patients replay, by record name."""
    records = {patient.record.name: patient.record for patient in patients}
    return {name: noise_for(record, noise, snr_db) for name, record in records.items()}
