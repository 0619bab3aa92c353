"""The index of a local repository: made of its nodes whenever it is asked for, so that it is never behind them.

What is said of a file that its name does not say are properties of its node: ``pypi.requires.python`` is set at the upload,
``pypi.yanked`` (PEP 592) by whoever may annotate: ``true``, or why. A folder's property is that of what lies in it only if it is
set for all of that. Metadata is advertised where it lies beside its file.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from attrs import frozen
from packaging.version import Version

from regproxy.formats.pypi.names import NO_VERSION, Part, file_path, is_file, normalise
from regproxy.formats.pypi.pages.project import File, Project
from regproxy.model.deposit import Properties
from regproxy.model.node import Node
from regproxy.repo.tree import Tree
from regproxy.web.items import when

UPLOADED = (".whl", ".tar.gz", ".zip")
NAME = "pypi.name"
VERSION = "pypi.version"
REQUIRES_PYTHON = "pypi.requires.python"
YANKED = "pypi.yanked"

_META = {"api-version": "1.1"}
_NO = frozenset({"false", "no", "0"})
_YES = frozenset({"true", "yes", "1", ""})

Sees = Callable[[str], bool]
"""Whether who asks may read a path."""


@frozen
class Contents:
    """What one repository has, for one who may see some of it."""

    _tree: Tree
    _sees: Sees

    async def projects(self) -> Sequence[str]:
        """The names of projects of which something may be seen."""
        children = await self._tree.children("")
        names = [child.name for child in children if child.node is None and normalise(child.name) == child.name]
        return [name for name in names if self._sees(f"{name}/") or await self.project(name) is not None]

    async def project(self, name: str) -> Project | None:
        """One project; None if nothing of it may be seen."""
        nodes = {node.path: node async for page in self._tree.below(f"{name}/") for node in page}
        properties = await self._tree.properties_below(f"{name}/") if nodes else {}
        shown = [node for node in nodes.values() if _is_listed(name, node.path) and self._sees(node.path)]
        files = [_file(node, nodes, properties.get(node.path, {})) for node in shown]
        return Project(name, files, _META, _versions(shown)) if files else None


def _is_listed(name: str, path: str) -> bool:
    """Whether it is a file that an address of ours leads to: others can come here by being copied."""
    file = path.rpartition("/")[2]
    return file.endswith(UPLOADED) and is_file(file) and path == file_path(name, file)


def _versions(nodes: Iterable[Node]) -> tuple[str, ...]:
    found = {node.path.split("/")[1] for node in nodes} - {NO_VERSION}
    return tuple(sorted(found, key=Version))


def _file(node: Node, nodes: Mapping[str, Node], properties: Properties) -> File:
    beside = nodes.get(node.path + Part.METADATA.value)
    return File(
        filename=node.path.rpartition("/")[2],
        url="",
        hashes={"sha256": node.sha256},
        requires_python=next(iter(properties.get(REQUIRES_PYTHON, ())), None),
        core_metadata=None if beside is None else {"sha256": beside.sha256},
        yanked=_yanked(properties.get(YANKED, ())),
        size=node.size,
        upload_time=when(node.created),
    )


def _yanked(values: Sequence[str]) -> bool | str:
    value = values[0].strip() if values else "false"
    if value.lower() in _NO:
        return False
    return True if value.lower() in _YES else value
