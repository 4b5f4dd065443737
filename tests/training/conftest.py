"""What holds for every test of the training."""

import sys

import pytest


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Networks as small as the tests' only make torch's threads wait for each other, and a wait takes a whole core."""
    if (torch := sys.modules.get("torch")) is not None:  # some tests need none
        torch.set_num_threads(1)
