"""The branches and tags of a repository, as a value, and as the one document that is kept of them: changing it changes all. Pure.

The document is what ``…/refs`` answers. A branch may be called like a commit: Artifactory's users upload under names of 40
digits, and read them as commits.
"""

import re
from collections.abc import Mapping
from typing import Self

import msgspec
from attrs import evolve, field, frozen

MAIN = "main"
_HEADS, _TAGS = "refs/heads/", "refs/tags/"
_BAD = re.compile(r"[\x00-\x20\x7f-\x9f\ud800-\udfff~^:?*\[\\]|\.\.|@\{|//|\.lock(/|$)|(^|/)\.|\.$|^/|/$|^-")
_LIMIT = 200


class _Reference(msgspec.Struct, frozen=True, rename="camel"):
    name: str
    ref: str
    target_commit: str


class _Document(msgspec.Struct, frozen=True):
    branches: list[_Reference]
    tags: list[_Reference]
    converts: list[_Reference] = []


@frozen
class References:
    """Names and the commits that they mean."""

    branches: Mapping[str, str] = field(factory=dict)
    tags: Mapping[str, str] = field(factory=dict)

    @classmethod
    def of(cls, document: bytes) -> Self:
        """Read the document; ``ValueError`` for what is none."""
        found = msgspec.json.decode(document, type=_Document)
        return cls(*({each.name: each.target_commit for each in kind} for kind in (found.branches, found.tags)))

    def to_json(self) -> bytes:
        """Write the document."""
        branches = [_Reference(name, _HEADS + name, commit) for name, commit in sorted(self.branches.items())]
        tags = [_Reference(name, _TAGS + name, commit) for name, commit in sorted(self.tags.items())]
        return msgspec.json.encode(_Document(branches, tags))

    @property
    def default(self) -> str:
        """The branch that is meant where none is named."""
        return MAIN if MAIN in self.branches else next(iter(sorted(self.branches)), MAIN)

    def commit(self, revision: str) -> str | None:
        """What a name means: a branch before a tag."""
        if revision.startswith(_HEADS):
            return self.branches.get(revision.removeprefix(_HEADS))
        if revision.startswith(_TAGS):
            return self.tags.get(revision.removeprefix(_TAGS))
        return self.branches.get(revision) or self.tags.get(revision)

    def with_branch(self, name: str, commit: str | None) -> "References":
        """The same with a branch elsewhere, or gone."""
        return evolve(self, branches=_with(self.branches, name, commit))

    def with_tag(self, name: str, commit: str | None) -> "References":
        """The same with a tag elsewhere, or gone."""
        return evolve(self, tags=_with(self.tags, name, commit))


def _with(names: Mapping[str, str], name: str, commit: str | None) -> Mapping[str, str]:
    others = {each: at for each, at in names.items() if each != name}
    return others if commit is None else others | {name: commit}


def is_name(text: str) -> bool:
    """Whether Git would take it as the name of a branch or tag."""
    return bool(text) and len(text) <= _LIMIT and not _BAD.search(text) and not text.startswith("refs/")
