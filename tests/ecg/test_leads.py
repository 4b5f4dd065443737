import pytest

from ecg.leads import LEADS, choose_leads, find_lead, knows_lead, lead_name, why_chosen
from ecg.signal_names import is_ecg, other_signals


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        (["MLII", "V1"], (0, 1)),
        (["V5", "MLII"], (1, 0)),  # record 114
        (["V5", "V2"], (0, 1)),  # records 102 and 104
        (["V1", "ECG II", "V6"], (1, 2)),
        (["I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6"], (1, 0)),
        (["EKG"], (0,)),
        (["left", "right"], (0, 1)),
        (["left", "Lead II"], (1, 0)),
        (["MDC_ECG_LEAD_V1", "MDC_ECG_LEAD_II"], (1, 0)),
        (["C1", "DII", "C5"], (1, 2)),
        ([""], (0,)),
    ],
)
def test_leads_are_chosen_by_name(names: list[str], chosen: tuple[int, ...]) -> None:
    assert choose_leads(names) == chosen


STANDARD = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")


@pytest.mark.parametrize("around", ["{}", "ECG {}", "EKG {}", "Lead {}", "MDC_ECG_LEAD_{}", "{}-REF", " {} "])
@pytest.mark.parametrize("name", STANDARD)
def test_every_standard_lead_is_known_however_it_is_written(name: str, around: str) -> None:
    assert lead_name(around.format(name)) == name.upper()
    assert name.upper() in LEADS


def test_no_spelling_stands_for_two_leads() -> None:
    spellings = [spelling for name, others in LEADS.items() for spelling in (name, *others)]
    assert len(spellings) == len(set(spellings))
    assert spellings == [spelling.upper() for spelling in spellings]


@pytest.mark.parametrize(
    ("wanted", "names", "column"),
    [
        ("ii", ("I", "II"), 1),
        ("II", ("ECG I", "ECG II"), 1),
        ("V1", ("C1", "V1"), 1),  # its very name before another spelling
        ("ML2", ("V5", "MLII"), 1),
        ("II", ("ECG II", "EKG II"), None),  # either might be meant
        ("left", ("left", "left"), 0),
        ("V7", ("V1",), None),
    ],
)
def test_a_lead_is_found_by_any_of_its_names(wanted: str, names: tuple[str, ...], column: int | None) -> None:
    assert find_lead(wanted, names) == column


# Names as standards, devices and people write them.
SPELLINGS = {
    "II": """MDC_ECG_LEAD_II MDC_ECG_ELEC_POTL_II 131330 131330^MDC_ECG_ELEC_POTL_II^MDC 5.6.3-9-2 2:2 Lead_II ECG_II
        EKG-II DII D2 II+ II, II. lead2 Lead-2 LeadII ecgLead2 ECGII ECG.II II_mV II-REF LL-RA ECG_LL-RA_24BIT
        Shimmer_6789_ECG_LL-RA_24BIT_CAL ii Ⅱ II导联 第II誘導 ecg_lead_ii_raw""",
    "I": "MDC_ECG_LEAD_I 131329 5.6.3-9-1 Lead_I DI D1 ECG_DI LA-RA ECG_LA-RA_24BIT lead1 i ECG_I I,",
    "III": "MDC_ECG_LEAD_III 131389 5.6.3-9-61 Lead_III DIII D3 LL-LA lead3 Ⅲ",
    "AVR": "MDC_ECG_LEAD_AVR 131390 5.6.3-9-62 aVR av_R Lead_aVR AVR, ECG_avr",
    "AVL": "MDC_ECG_LEAD_AVL 131391 aVL",
    "AVF": "MDC_ECG_LEAD_AVF 131392 aVF LeadaVF",
    "-AVR": "-aVR",
    "V1": "MDC_ECG_LEAD_V1 131331 5.6.3-9-3 C1 v1 MCL1 CM1 ECGV1 lead_V1 mcl",
    "V5": "MDC_ECG_LEAD_V5 131335 5.6.3-9-7 C5 CM5 CC5 CS5 MV5",
    "V6": "MDC_ECG_LEAD_V6 131336 5.6.3-9-8 C6 MCL6",
    "V": "V, V+ Vx-RL ECG_Vx-RL_24BIT_CAL",
    "V4R": "MDC_ECG_LEAD_V4R C4R 5.6.3-9-12",
    "VX": "vx VX Vx",
    "MLII": "MLII ML2 modII mod.II II_mod",
}
SENTENCES = {
    "II (LL-RA)": "II",
    "Ableitung II": "II",
    "Ableitung 2": "II",
    "Extremitätenableitung II": "II",
    "Dérivation DII": "II",
    "derivación II": "II",
    "Derivazione D2": "II",
    "afleiding II": "II",
    "odprowadzenie II": "II",
    "отведение II": "II",
    "Lead I (Einthoven)": "I",
    "Einthoven II": "II",
    "Brustwand V2": "V2",
    "precordial V3": "V3",
    "V1 (chest)": "V1",
    "modified II": "MLII",
    "Lead II (mV)": "II",
    "II [µV]": "II",
}


@pytest.mark.parametrize(
    ("name", "lead"),
    [*((name, lead) for lead, names in SPELLINGS.items() for name in names.split()), *SENTENCES.items()],
)
def test_a_lead_is_known_in_every_spelling(name: str, lead: str) -> None:
    assert lead_name(name) == lead
    assert lead in LEADS
    for spelled in (name.lower(), f"  {name} ", f'"{name}"'):
        assert lead_name(spelled) == lead, spelled


@pytest.mark.parametrize(
    "name", ["ECG", "EKG1", "ECG 2", "ecg_mV", "EKG (µV)", "ЭКГ", "心电图", "Herz", "chestECG", "filtered ecg", "ECG-A"]
)
def test_an_ecg_of_no_known_lead_is_one_all_the_same(name: str) -> None:
    assert is_ecg(name)
    assert not knows_lead(name)


@pytest.mark.parametrize(
    ("name", "what"),
    [
        *((name, "respiration") for name in ("RESP", "Resp.", "Atmung", "respiración", "RESP,", "Nasal Flow")),
        *((name, "heart rate") for name in ("HR", "heart_rate [bpm]", "Herzfrequenz", "HeartRate", "RR", "ecg_hr")),
        *((name, "pulse wave") for name in ("PPG", "SpO2", "PLETH,", "SAO2")),
        *((name, "EEG") for name in ("EEG C3-A2", "C4-M1", "EOG(L)", "Fp1")),
        *((name, "movement") for name in ("ACC_X", "Accel 0", "accX", "Beschleunigung X")),
        *((name, "EMG") for name in ("EMG", "Chin EMG")),
        *((name, "noise") for name in ("noise", "Rauschen")),
        *((name, "label") for name in ("label", "Class", "annotation")),
        ("ECG quality", "device"),
        ("Trigger", "marker"),
    ],
)
def test_what_is_no_ecg_is_known_by_its_name(name: str, what: str) -> None:
    assert other_signals([name]) == (what,)
    assert not is_ecg(name)
    assert not knows_lead(name)


def test_c3_is_a_chest_lead_among_leads_and_none_among_electrodes_of_the_head() -> None:
    assert other_signals(["C1", "C2", "C3"]) == (None, None, None)
    assert other_signals(["C3", "C4", "O1", "ECG"]) == ("EEG", "EEG", "EEG", None)
    assert choose_leads(["C3", "C4", "O1", "ECG"]) == (3,)


@pytest.mark.parametrize(
    ("names", "chosen", "why"),
    [
        (["MDC_ECG_LEAD_AVR", "MDC_ECG_LEAD_II"], (1, 0), "lead II"),
        (["V1", "Lead_II"], (1, 0), "lead II"),
        (["V1", "II (LL-RA)"], (1, 0), "lead II"),
        (["V1", "lead2"], (1, 0), "lead II"),
        (["noise", "ECG"], (1,), "the only ECG by name; noise is noise"),
        (["RESP", "PLETH", "V", "II"], (3, 2), "RESP is respiration"),
        (["EEG C3-A2", "EMG", "Herz"], (2,), "the only ECG by name"),
        (["X", "Y", "ECG"], (2, 0), "called an ECG"),
        (["X", "Y"], (0, 1), "it is the first"),
        (["RESP"], (0,), "the only lead"),
        (["RESP", "PPG"], (0, 1), "no signal is called an ECG"),
        (["V1", "aVF"], (1, 0), "AVF, of these the most like lead II"),
    ],
)
def test_what_is_no_ecg_gives_way_and_the_choice_is_told(names: list[str], chosen: tuple[int, ...], why: str) -> None:
    assert choose_leads(names) == chosen
    assert why in why_chosen(names)
