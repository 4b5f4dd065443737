"""Share of the memory that each patient gets. Pure."""

from dataclasses import dataclass

RECENT_S = 12.0  # of samples are kept where there is room: a trace is whole as soon as somebody looks
MIB = 1 << 20
DEFAULT_BYTES = 256 * MIB
MOST_PATIENTS = 10_000  # as many as four partitions' detectors take
_LEAST_PATIENTS = 50
_MESSAGE_BYTES = 700  # what a message of samples takes beside them
_FIGURES_BYTES = 64  # a window's figures, and the room that is made before it is needed
_FINDING_BYTES = 600
_LEAST_WINDOWS, MOST_WINDOWS = 60, 720  # five minutes, an hour


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """Limits of what is kept of each patient.

    Attributes
    ----------
    recent_bytes : of the newest samples
    whole_bytes : of the newest verdicts as they came
    windows : whose figures are kept
    findings : how many
    """

    recent_bytes: int
    whole_bytes: int
    windows: int
    findings: int

    @classmethod
    def of(cls, total_bytes: int, patients: int) -> "Share":
        """Deal out evenly: half for samples, an eighth for verdicts, the rest for figures and findings.

        Parameters
        ----------
        total_bytes : for all patients
        patients : how many there are
        """
        each = total_bytes // max(patients, _LEAST_PATIENTS)
        return cls(
            recent_bytes=each // 2,
            whole_bytes=each // 8,
            windows=min(MOST_WINDOWS, max(_LEAST_WINDOWS, each // 4 // _FIGURES_BYTES)),
            findings=min(MOST_WINDOWS, each // 8 // _FINDING_BYTES + 1),
        )


def bytes_of(samples_bytes: int) -> int:
    """Return what a message of samples takes in memory."""
    return samples_bytes + _MESSAGE_BYTES
