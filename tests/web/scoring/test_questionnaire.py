import pytest
from pydantic import ValidationError

from web.scoring.questionnaire import Questionnaire


def test_what_is_told_becomes_rows_and_what_is_not_does_not() -> None:
    expected = Questionnaire(age=0, sex="female", symptoms="  dizzy\r\nsince Monday\n", medication="")
    assert expected.rows() == (("Age", "0 years"), ("Sex", "female"), ("Symptoms", "dizzy\nsince Monday"))


@pytest.mark.parametrize(
    "expected",
    [
        {"age": -1},
        {"age": 131},
        {"age": 3.5},
        {"sex": "yes"},
        {"symptoms": "x" * 2001},
        {"history": "\x1b[2J"},
        {"history": "a\x00b"},
        {"name": "Anna"},
    ],
)
def test_more_than_is_asked_for_is_refused(expected: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Questionnaire.model_validate(expected)
