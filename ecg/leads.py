"""Lead names: one table with the spellings of standards and devices, and which leads the models look at."""

import re
from collections.abc import Mapping, Sequence

MODEL_LEADS = 2  # the lead that is judged, and one more view of the same beats

# Most like lead II first: upright P and QRS along the heart's main axis. The models were trained on MLII. Behind each
# its other spellings: MIT-BIH and Holter recorders (ML2), European monitors (D2), IEC 60601-2-25 (C1 for V1).
LEADS: Mapping[str, tuple[str, ...]] = {
    "MLII": ("ML2",),
    "II": ("DII", "D2"),
    "MLI": ("ML1",),
    "I": ("DI", "D1"),
    "MLIII": ("ML3",),
    "AVF": (),
    "V5": ("C5",),
    "V4": ("C4",),
    "V6": ("C6",),
    "V3": ("C3",),
    "V2": ("C2",),
    "V1": ("C1",),
    "III": ("DIII", "D3"),
    "AVL": (),
    "AVR": (),
}
_RANK = {name: rank for rank, name in enumerate(LEADS)}
_CANONICAL = {spelling: name for name, others in LEADS.items() for spelling in (name, *others)}
# What stands around a lead's bare name: "ECG II" and "EKG II" in EDF, "Lead II" in DICOM, MDC_ECG_LEAD_II in HL7.
_AROUND = re.compile(r"^(MDC_ECG_LEAD_|.*\s)|-REF", re.IGNORECASE)


def lead_name(name: str) -> str:
    """Return a lead's name in capitals as the table has it, whoever spelled it; an unknown one bare, in capitals."""
    bare = _AROUND.sub("", name.strip()).upper()
    return _CANONICAL.get(bare, bare)


def find_lead(wanted: str, names: Sequence[str]) -> int | None:
    """Return the column of a lead: of that very name but for capitals, else the only one that is the same lead.

    Parameters
    ----------
    wanted : the name that somebody gave
    names : lead names of a recording, in the order of its columns
    """
    for same in (str.lower, lead_name):
        found = [column for column, name in enumerate(names) if same(name) == same(wanted)]
        if found and (len(found) == 1 or same is str.lower):
            return found[0]
    return None


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
    order = sorted(range(len(names)), key=lambda column: (_RANK.get(lead_name(names[column]), len(_RANK)), column))
    return tuple(order[:MODEL_LEADS])
