"""Numbers for people."""

import pytest

from regproxy.model.counts import human, share


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 bytes"), (1023, "1023 bytes"), (1024, "1.00 KB"), (3_736_623_022, "3.48 GB"), (1 << 70, "1048576.00 PB")],
)
def test_sizes(size: int, text: str) -> None:
    """With two digits behind the point."""
    assert text == human(size)


def test_shares() -> None:
    """Of nothing, nothing."""
    assert ("25.00%", "0%") == (share(1, 4), share(0, 0))
