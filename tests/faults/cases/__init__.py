"""The cases, by groups of the fault matrix; importing this registers all of them."""

from tests.faults.cases import bodies, crowds, lies, ranges, refusals, waiting
from tests.faults.scene import CASES

__all__ = ["CASES", "bodies", "crowds", "lies", "ranges", "refusals", "waiting"]
