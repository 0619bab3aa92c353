"""What a model, a dataset or a space consists of, at one revision."""

import re
from collections.abc import Collection, Iterable
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import quote

import msgspec
from attrs import frozen

from regproxy.cli.prefetching.gathering import Item
from regproxy.cli.prefetching.server import Got

_NEXT = re.compile(r'<([^>]+)>\s*;\s*rel="next"')


@frozen
class Models:
    """Those of one repository.

    Attributes:
        kind: model, dataset or space.
        includes, excludes: patterns as huggingface_hub has them; none: everything.
    """

    _repository: str
    _kind: str
    _revision: str
    _includes: Collection[str]
    _excludes: Collection[str]

    @property
    def _hub(self) -> str:
        return f"/api/huggingfaceml/{self._repository}"

    def item(self, name: str) -> Item:
        """What is known of its revision, and through it all the files."""
        path = f"{self._hub}/api/{self._kind}s/{quote(name)}/revision/{quote(self._revision, safe='')}"
        return Item(path, name, then=lambda got: [self._tree(name, _commit(got))])

    def _tree(self, name: str, commit: str, path: str = "") -> Item:
        path = path or f"{self._hub}/api/{self._kind}s/{quote(name)}/tree/{commit}?recursive=true"
        return Item(path, name, then=lambda got: self._files(name, commit, got))

    def _files(self, name: str, commit: str, got: Got) -> Iterable[Item]:
        listed = msgspec.json.decode(got.body, type=list[dict[str, Any]])
        files = [each for each in listed if each.get("type") == "file" and self._is_wanted(str(each["path"]))]
        items = [self._file(name, commit, each) for each in files]
        following = _NEXT.search(got.headers.get("link", ""))
        if following is not None:
            beyond = following[1][following[1].index("/api/") :]
            items.append(self._tree(name, commit, beyond))
        return items

    def _file(self, name: str, commit: str, entry: dict[str, Any]) -> Item:
        folder = "" if self._kind == "model" else f"{self._kind}s/"
        path = f"{self._hub}/{folder}{quote(name)}/resolve/{commit}/{quote(str(entry['path']))}"
        return Item(path, f"{name}/{entry['path']}", size=int(entry.get("size", 0)))

    def _is_wanted(self, path: str) -> bool:
        included = not self._includes or any(_matches(path, pattern) for pattern in self._includes)
        return included and not any(_matches(path, pattern) for pattern in self._excludes)


def _matches(path: str, pattern: str) -> bool:
    return fnmatchcase(path, f"{pattern}*" if pattern.endswith("/") else pattern)


def _commit(got: Got) -> str:
    commit = msgspec.json.decode(got.body, type=dict[str, Any]).get("sha")
    if not isinstance(commit, str) or not re.fullmatch(r"[0-9a-f]{40,64}", commit):
        raise ValueError("it has no commit")
    return commit
