"""What the doctor says: one line for each thing that was looked at."""

from typing import Literal

import msgspec

State = Literal["ok", "warning", "bad"]
MARKS = {"ok": "ok  ", "warning": "WARN", "bad": "BAD "}


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing.

    Attributes:
        state: of a warning the server works on, for now; what is bad keeps it from something.
        subject: what was looked at.
        advice: what to do; empty if nothing.
    """

    state: State
    subject: str
    text: str
    advice: str = ""

    @property
    def line(self) -> str:
        """As people read it."""
        said = f"{MARKS[self.state]} {self.subject}: {self.text}"
        return f"{said}; {self.advice}" if self.advice else said


def good(subject: str, text: str) -> Finding:
    """All is well."""
    return Finding(state="ok", subject=subject, text=text)


def warning(subject: str, text: str, advice: str) -> Finding:
    """It works, for now."""
    return Finding(state="warning", subject=subject, text=text, advice=advice)


def bad(subject: str, text: str, advice: str) -> Finding:
    """Something does not work."""
    return Finding(state="bad", subject=subject, text=text, advice=advice)
