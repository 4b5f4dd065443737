import pytest

from gateway.budgets import Allowance, DeviceBudget


def test_what_is_stored_goes_at_once_and_the_rest_at_its_rate() -> None:
    allowance = Allowance(per_s=10, most=30)
    assert allowance.wait_s(0.0) == 0
    allowance.take(30)
    assert allowance.wait_s(0.0) == pytest.approx(0.1)
    assert allowance.wait_s(0.2) == 0


def test_a_message_larger_than_the_store_goes_and_is_waited_for_afterwards() -> None:
    allowance = Allowance(per_s=10, most=30)
    allowance.take(130)
    assert allowance.wait_s(0.0) == pytest.approx(10.1)
    assert allowance.wait_s(5.0) == pytest.approx(5.1)


def test_nothing_is_stored_beyond_the_store() -> None:
    allowance = Allowance(per_s=10, most=30)
    assert allowance.wait_s(0.0) == 0
    assert allowance.wait_s(1e6) == 0
    allowance.take(31)
    assert allowance.wait_s(1e6) > 0


def test_the_clock_may_stand_still_and_nothing_comes_back() -> None:
    allowance = Allowance(per_s=10, most=10)
    allowance.wait_s(5.0)
    allowance.take(20)
    assert allowance.wait_s(4.0) == pytest.approx(allowance.wait_s(4.0))


def test_the_scarcer_of_bytes_and_samples_is_waited_for() -> None:
    budget = DeviceBudget(bytes=Allowance(per_s=100, most=100), samples=Allowance(per_s=10, most=10))
    budget.take(size=150, samples=110)
    assert budget.wait_s(0.0) == pytest.approx(10.1)
