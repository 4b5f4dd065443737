import pytest

from ecg.leads import LEADS, choose_leads, find_lead, lead_name


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
