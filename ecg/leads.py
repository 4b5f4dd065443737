"""Lead names: one table with the spellings of standards, devices and languages, and which leads the models look at."""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise

from ecg.signal_names import AROUND, LEAD_TERMS, is_ecg, other_signals, terms_of

MODEL_LEADS = 2  # the lead that is judged, and one more view of the same beats

# Most like lead II first: upright P and QRS along the heart's main axis. The models were trained on MLII. Behind each
# its other spellings: MIT-BIH and Holter recorders (ML2), monitors and countries that count with digits (D2), electrode
# pairs of amplifiers (LL-RA), IEC 60601-2-25 (C1 for V1), bipolar chest leads of exercise tests (CM5).
LEADS: Mapping[str, tuple[str, ...]] = {
    "MLII": ("ML2", "MODII", "MOD2", "IIMOD", "MODIFIEDII", "MODIFIED2"),
    "II": ("DII", "D2", "LL-RA", "EINTHOVENII"),
    "MLI": ("ML1", "MODI", "MOD1", "IMOD", "MODIFIEDI"),
    "I": ("DI", "D1", "LA-RA", "EINTHOVENI"),
    "MLIII": ("ML3", "MODIII", "MOD3", "IIIMOD", "MODIFIEDIII"),
    "AVF": (),
    "-AVR": ("MAVR", "MINUSAVR", "INVAVR"),
    "V5": ("C5", "CM5", "CC5", "CS5", "CB5", "MV5", "MODV5", "V5MOD"),
    "V4": ("C4", "CM4", "MV4", "MODV4"),
    "V6": ("C6", "CM6", "MV6", "MCL6", "MODV6"),
    "V3": ("C3", "CM3", "MV3", "MODV3"),
    "V2": ("C2", "CM2", "MV2", "MODV2"),
    "V1": ("C1", "CM1", "MV1", "MCL1", "MCL", "MODV1", "V1MOD"),
    "V": ("VX-RL", "VC", "VA", "VB"),  # a chest lead, wherever the electrode sits
    "III": ("DIII", "D3", "LL-LA", "EINTHOVENIII"),
    "V7": ("C7",),
    "V8": ("C8",),
    "V9": ("C9",),
    "ES": (),  # of EASI, from which the twelve are reckoned
    "AS": (),
    "AI": (),
    "VX": ("FRANKX",),  # of Frank, as PTB has them
    "VY": ("FRANKY",),
    "VZ": ("FRANKZ",),
    "V2R": ("C2R",),
    "V3R": ("C3R",),
    "V4R": ("C4R",),
    "V5R": ("C5R",),
    "V6R": ("C6R",),
    "V7R": ("C7R",),
    "V8R": ("C8R",),
    "V9R": ("C9R",),
    "AVL": (),
    "AVR": (),
}
_RANK = {name: rank for rank, name in enumerate(LEADS)}
_CANONICAL = {spelling: name for name, others in LEADS.items() for spelling in (name, *others)}
_LIMB = {"1": "I", "2": "II", "3": "III"}
# SCP-ECG (EN 1064) numbers its leads. DICOM writes 5.6.3-9-2 for its number 2, ISO/IEEE 11073-10101 adds 131328.
_SCP_NUMBERS = {
    **dict(enumerate(("I", "II", "V1", "V2", "V3", "V4", "V5", "V6", "V7"), start=1)),
    **{number: f"V{number - 8}R" for number in range(10, 16)},
    **dict(enumerate(("VX", "VY", "VZ"), start=16)),
    **dict.fromkeys((19, 20), "V5"),  # CC5, CM5
    **dict(enumerate(("III", "AVR", "AVL", "AVF", "-AVR", "V8", "V9", "V8R", "V9R"), start=61)),
}
_MDC_BASE = 131_328
_CODE = re.compile(r"^(?:5\.6\.3-9-(?P<scp>\d{1,2})|2:(?P<part>\d{1,2})|(?P<mdc>131[34]\d\d))(?:\^.*)?$")


@lru_cache(maxsize=4096)
def lead_name(name: str) -> str:
    """Return a lead's name in capitals as the table has it, whoever spelled it; an unknown one bare, in capitals.

    Parameters
    ----------
    name : "Lead_II", "MDC_ECG_LEAD_II", "DII", "II (LL-RA)", "Ableitung II", "131330" or "mod. II", say
    """
    return next((_CANONICAL[form] for form in _forms(name) if form in _CANONICAL), None) or _bare(name)


def knows_lead(name: str) -> bool:
    """Return whether a name is one of a lead in the table."""
    return lead_name(name) in LEADS


def mdc_code(name: str) -> tuple[int, str] | None:
    """Return the code of ISO/IEEE 11073-10102 and its reference id of one of the twelve standard leads, else None.

    A modified or a bipolar chest lead is not the standard one that it resembles: it has none here.

    Parameters
    ----------
    name : "II", "aVR" or "Lead_V1", say
    """
    bare = _bare(name)
    if bare not in _TWELVE:
        return None
    return _MDC_BASE + _TWELVE[bare], f"MDC_ECG_ELEC_POTL_{bare}"


_TWELVE = {
    lead: number
    for number, lead in _SCP_NUMBERS.items()
    if lead in {"I", "II", "III", "AVR", "AVL", "AVF", "V1", "V2", "V3", "V4", "V6"} or (lead == "V5" and number < 10)
}


def _bare(name: str) -> str:
    return " ".join(term for term in terms_of(name) if term not in AROUND) or " ".join(terms_of(name))


def _forms(name: str) -> Iterator[str]:
    """Yield each spelling that may be a lead's bare name in a name, the likeliest first."""
    name = name.strip().strip("'\"").strip()
    code = _CODE.match(name)
    if code:
        number = int(code["mdc"]) - _MDC_BASE if code["mdc"] else int(code["scp"] or code["part"])
        yield _SCP_NUMBERS.get(number, "")
        return
    if other_signals((name,)) != (None,):
        return
    terms = terms_of(name)
    bare = [term for term in terms if term not in AROUND]
    if name.startswith("-"):  # turned over: another lead, if it has a name of its own
        yield f"-{''.join(bare)}"
        return
    if len(bare) == 1 and bare[0] in _LIMB and any(term in LEAD_TERMS for term in terms):
        yield _LIMB[bare[0]]
    for whole in (terms, bare):
        yield "-".join(whole)
        yield "".join(whole)
    parts = (*bare, *(f"{first}-{second}" for first, second in pairwise(bare)))
    known = {_CANONICAL[part] for part in parts if part in _CANONICAL}
    if len(known) == 1:
        yield known.pop()


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
    one or two column numbers: MLII or II before all, then by likeness to it; then what is called an ECG; then leads
    of unknown name in their order. What is called something else, such as a respiration, only where nothing else is
    """
    others = other_signals(names)
    usable = [column for column, other in enumerate(others) if other is None] or list(range(len(names)))
    return tuple(sorted(usable, key=lambda column: (_rank(names[column]), column))[:MODEL_LEADS])


def _rank(name: str) -> int:
    known = _RANK.get(lead_name(name))
    if known is not None:
        return known
    return len(_RANK) if is_ecg(name) else len(_RANK) + 1


def why_chosen(names: Sequence[str]) -> str:
    """Return why the first of ``choose_leads`` is judged, in a phrase.

    Parameters
    ----------
    names : lead names of a recording, in the order of its columns
    """
    others = other_signals(names)
    usable = [column for column, other in enumerate(others) if other is None]
    chosen = names[choose_leads(names)[0]]
    left_out = [f"{name} is {other}" for name, other in zip(names, others, strict=True) if other and usable]
    if len(names) == 1:
        return "the only lead that is read"
    if not usable:
        why = "no signal is called an ECG: it is the first"
    elif len(usable) == 1:
        why = "the only ECG by name"
    elif knows_lead(chosen):
        same = lead_name(chosen)
        why = "lead II, which is preferred" if same in {"II", "MLII"} else f"{same}, of these the most like lead II"
    elif is_ecg(chosen):
        why = "it is called an ECG"
    else:
        why = "no name is one of a known lead: it is the first"
    return "; ".join((why, *left_out))
