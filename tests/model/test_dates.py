"""Times as clients write them."""

import pytest

from regproxy.model.dates import instant


@pytest.mark.parametrize("text", ["1970-01-02T00:00:00.000Z", "1970-01-02", "1970-01-02T02:00+02:00", "1970-01-02T02:00:00+0200"])
def test_the_same_moment(text: str) -> None:
    """Without a zone it is UTC."""
    assert 86400.0 == instant(text)


@pytest.mark.parametrize("text", ["", "x", "1970-13-01", "12:00"])
def test_no_time(text: str) -> None:
    """Is a mistake."""
    with pytest.raises(ValueError, match=r"iso|must be|time"):
        instant(text)
