"""Requirements as the files of pip have them, read as far as they name projects of an index."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from attrs import define, field
from packaging.requirements import InvalidRequirement, Requirement

DEEPEST = 10
_COMMENT = re.compile(r"(^|\s)#.*$")
_OPTION = re.compile(r"\s--?[a-z][a-z-]*(?:[= ]\S+)?(?=\s|$)")
_NAMED_FILE = re.compile(r"(-r|-c|--requirement|--constraint)[= ]?\s*(\S+)")


@define(eq=False)
class Requirements:
    """What is wanted, what bounds it, and what cannot be had from an index."""

    wanted: list[Requirement] = field(factory=list)
    bounds: list[Requirement] = field(factory=list)
    others: list[str] = field(factory=list)

    def add(self, text: str) -> None:
        """One requirement."""
        self._take(text, self.wanted)

    def read(self, path: Path, *, bounds: bool = False, depth: int = 0) -> None:
        """A file, and those that it names; ``OSError`` for one that cannot be read."""
        if depth > DEEPEST:
            raise OSError(f"{path}: files that name one another {DEEPEST} times over")
        for line in _lines(path.read_text(encoding="utf-8").splitlines()):
            named = _NAMED_FILE.fullmatch(line)
            if named is not None:
                self.read(path.parent / named[2], bounds=bounds or "c" in named[1].lstrip("-")[:1], depth=depth + 1)
            elif line.startswith(("-e", "--editable")):
                self.others.append(line)
            elif not line.startswith("-"):
                self._take(_OPTION.sub("", line).strip(), self.bounds if bounds else self.wanted)

    def _take(self, text: str, into: list[Requirement]) -> None:
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            self.others.append(text)
            return
        if requirement.url:
            self.others.append(text)
        else:
            into.append(requirement)


def _lines(lines: Iterable[str]) -> Iterator[str]:
    """Without comments and empty ones, and with those put together that end in a backslash."""
    begun = ""
    for raw in lines:
        line = begun + _COMMENT.sub("", raw)
        if line.endswith("\\"):
            begun = line[:-1] + " "
            continue
        begun = ""
        if line.strip():
            yield line.strip()
    if begun.strip():
        yield begun.strip()
