"""What participants heard, held against what there was to hear. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True)
class Missed:
    """lost: events that a participant should have heard and did not, over all of them. doubled: heard more than once, or
    before an earlier one."""

    lost: int = 0
    doubled: int = 0

    def __add__(self, other: Missed) -> Missed:
        return Missed(self.lost + other.lost, self.doubled + other.doubled)


def missed(heard: Iterable[Sequence[int]], upto: int) -> Missed:
    """heard: of each participant, the events' numbers as they came. upto: number of the last that there was; everybody may
    see all of them."""
    total = Missed()
    for numbers in heard:
        there = {n for n in numbers if 1 <= n <= upto}
        after = sum(later <= earlier for earlier, later in pairwise(numbers))
        total += Missed(upto - len(there), after)
    return total
