"""Times as clients write them. Pure."""

from datetime import UTC, datetime


def instant(text: str) -> float:
    """Seconds since the epoch, of ISO 8601; without a zone it is UTC. ``ValueError`` for anything else."""
    found = datetime.fromisoformat(text)
    try:
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except OverflowError as error:
        raise ValueError("a time that is none here") from error
