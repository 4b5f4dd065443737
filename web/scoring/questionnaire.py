"""Questionnaire about the person behind a recording."""

import unicodedata
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

MAX_TEXT = 2000  # characters: a page of a form
MAX_AGE = 130


def _readable(text: str) -> str:
    """Text without what cannot be seen: line ends and tabs stay, other control characters are refused."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    hidden = {letter for letter in text if unicodedata.category(letter) == "Cc" and letter not in "\n\t"}
    if hidden:
        raise ValueError("it holds characters that cannot be shown: take them out")
    return text


_SEEN = r"^[^\x00-\x08\x0B\x0C\x0E-\x1F\x7F-\x9F]*$"  # the same for the OpenAPI document, whose words tell nobody
Text = Annotated[str, Field(max_length=MAX_TEXT, json_schema_extra={"pattern": _SEEN}), AfterValidator(_readable)]
Sex = Literal["female", "male", "other"]


class Questionnaire(BaseModel):
    """Details of the person, all optional. They stand in the report and judge nothing.

    Attributes
    ----------
    age : years
    sex : as told
    symptoms, medication, history : in words
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    age: Annotated[int | None, Field(ge=0, le=MAX_AGE)] = None
    sex: Sex | None = None
    symptoms: Text | None = None
    medication: Text | None = None
    history: Text | None = None

    def rows(self) -> tuple[tuple[str, str], ...]:
        """Return the answers as label and value."""
        answers = (
            ("Age", None if self.age is None else f"{self.age} years"),
            ("Sex", self.sex),
            ("Symptoms", self.symptoms),
            ("Medication", self.medication),
            ("Earlier illnesses", self.history),
        )
        return tuple((label, value) for label, value in answers if value)
