"""How processes tell one another what came of a flight."""

import pytest

from regproxy.errors import Kind, RegproxyError
from regproxy.model.headers import Headers
from regproxy.repo.interface import Missing, Refused, Unavailable
from regproxy.repo.spoken import Outcome, heard, spoken
from regproxy.sharing.ending import LANDED, Ending, failed, read_ending, write_ending

KEPT = Headers.of(x_error_code="EntryNotFound")


@pytest.mark.parametrize(
    "outcome",
    [
        Missing("it is not there", KEPT),
        Refused(451, "no", KEPT),
        Unavailable(429, "slower", 30, KEPT),
        Unavailable(504, "é"),
    ],
)
def test_outcomes(outcome: Outcome) -> None:
    """Each comes as it was said."""
    ending = read_ending(write_ending(Ending(outcome=spoken(outcome).decode())))
    assert heard(ending.outcome.encode()) == outcome
    assert ending.error is None


def test_a_failure_keeps_its_details() -> None:
    """Kind and text pass; what only a log may see does not."""
    text = write_ending(failed(RegproxyError(Kind.INTEGRITY, "wrong bytes", detail="secret")))
    error = read_ending(text).error
    assert error is not None
    assert (error.kind, error.text, error.detail) == (Kind.INTEGRITY, "wrong bytes", "")
    assert b"secret" not in text
    assert b"secret" not in write_ending(failed(OSError("secret")))


def test_landed() -> None:
    """Nothing to say but that."""
    assert read_ending(write_ending(LANDED)) == LANDED


@pytest.mark.parametrize("text", [b"", b"{", b'{"kind": "no such"}', b"[]", b"\xff"])
def test_nonsense_is_a_failure(text: bytes) -> None:
    """Nobody may take it for landed."""
    assert read_ending(text).error is not None


def test_nonsense_is_an_outage() -> None:
    """An outcome that cannot be read is not an absence."""
    assert isinstance(heard(b'{"x": 1}'), Unavailable)
