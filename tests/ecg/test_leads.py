import pytest

from ecg.leads import choose_leads


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
        ([""], (0,)),
    ],
)
def test_leads_are_chosen_by_name(names: list[str], chosen: tuple[int, ...]) -> None:
    assert choose_leads(names) == chosen
