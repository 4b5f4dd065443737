"""Work on many patients at once: what is alike goes into one batch, and the results come back in order."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_batches(
    items: Sequence[Item],
    work: Callable[[list[Item]], Iterable[Result]],
    *,
    alike: Callable[[Item], Hashable],
    most: int,
) -> list[Result]:
    """Run work over items and return a result for each, in their order.

    Parameters
    ----------
    items : of any kinds
    work : gives one result for each item of a batch
    alike : key of the items that may stand in one batch
    most : items in a batch
    """
    groups: dict[Hashable, list[int]] = defaultdict(list)
    for number, item in enumerate(items):
        groups[alike(item)].append(number)
    results: dict[int, Result] = {}
    for numbers in groups.values():
        for first in range(0, len(numbers), most):
            part = numbers[first : first + most]
            results.update(zip(part, work([items[number] for number in part]), strict=True))
    return [results[number] for number in range(len(items))]
