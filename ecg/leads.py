"""Which leads the models look at: chosen by name, never by position."""

from collections.abc import Sequence

MODEL_LEADS = 2  # the lead that is judged, and one more view of the same beats

# Most like lead II first: upright P and QRS along the heart's main axis. The models were trained on MLII.
_PREFERENCE = ("MLII", "II", "ML2", "MLI", "I", "MLIII", "AVF", "V5", "V4", "V6", "V3", "V2", "V1", "III", "AVL", "AVR")
_RANK = {name: rank for rank, name in enumerate(_PREFERENCE)}


def _plain(name: str) -> str:
    """A lead's bare name: EDF writes "ECG II" or "EKG II", some devices "Lead II"."""
    words = name.upper().replace("-REF", "").split()
    return words[-1] if words else ""


def choose_leads(names: Sequence[str]) -> tuple[int, ...]:
    """The columns of the leads that the models use, the judged one first.

    Parameters
    ----------
    names : lead names of a recording, in the order of its columns

    Returns
    -------
    one or two column numbers: MLII or II before all, then by likeness to it; leads of unknown name keep their order
    and come last
    """
    order = sorted(range(len(names)), key=lambda column: (_RANK.get(_plain(names[column]), len(_RANK)), column))
    return tuple(order[:MODEL_LEADS])
