from typing import Annotated

import pytest
from pydantic import AfterValidator, BaseModel, Field, ValidationError, model_validator

from ops.validation import first_error, limit_in


def _even(number: int) -> int:
    if number % 2:
        raise ValueError(f"number={number} is odd: take an even one")
    return number


class _Inner(BaseModel):
    number: Annotated[int, Field(ge=2), AfterValidator(_even)]


class _Outer(BaseModel):
    inner: list[_Inner]

    @model_validator(mode="after")
    def _some(self) -> "_Outer":
        if not self.inner:
            raise ValueError("name some")
        return self


def refused(*numbers: object) -> ValidationError:
    with pytest.raises(ValidationError) as caught:
        _Outer.model_validate({"inner": [{"number": number} for number in numbers]})
    return caught.value


def test_the_first_fault_is_told_with_its_place_and_without_its_value() -> None:
    message = first_error(refused(4, 1, "x").errors())
    assert message == "inner.1.number: Input should be greater than or equal to 2"


def test_the_value_is_told_where_it_may_be() -> None:
    assert first_error(refused(1).errors(), value=True).startswith("inner.0.number=1: Input should")


def test_a_fault_of_the_whole_has_the_place_that_it_is_given() -> None:
    assert first_error(refused().errors()) == "Value error, name some"
    assert first_error(refused().errors(), whole="the file") == "the file: Value error, name some"


def test_a_limit_goes_on_a_sentence_and_a_check_of_our_own_is_told_as_it_stands() -> None:
    assert limit_in(refused(1).errors()[0]) == "input should be greater than or equal to 2"
    assert limit_in(refused(3).errors()[0]) == "number=3 is odd: take an even one"
