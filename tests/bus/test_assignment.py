"""The group's own assignor, asked without a broker."""

from hypothesis import given, settings
from hypothesis import strategies as st

from bus.assignment import assign


@settings(max_examples=30)
@given(partitions=st.integers(1, 40), members=st.integers(1, 12))
def test_every_partition_has_one_member_and_all_have_alike_many(partitions: int, members: int) -> None:
    given_out = assign(partitions, [f"m{number}" for number in range(members)])
    held = [partition for each in given_out.values() for partition in each]
    assert sorted(held) == list(range(partitions))
    counts = [len(each) for each in given_out.values()]
    assert max(counts) - min(counts) <= 1


@settings(max_examples=30)
@given(workers=st.integers(2, 10), gone=st.integers(0, 9))
def test_who_stays_keeps_what_it_had(workers: int, gone: int) -> None:
    names = [f"m{number}" for number in range(workers)]
    before = assign(4 * workers, names)
    lost = names[gone % workers]
    after = assign(4 * workers, [name for name in names if name != lost], before)
    assert all(before[name] <= after[name] for name in after)
    moved = {partition for name, held in after.items() for partition in held - before[name]}
    assert moved == before[lost]
