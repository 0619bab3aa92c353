"""What a commit makes of the files that were there. Pure.

``AddressError`` says what is wrong with it; then nothing is changed.
"""

from collections.abc import Mapping, Sequence

from attrs import evolve, field, frozen

from regproxy.errors import Kind
from regproxy.formats.huggingface.address import AddressError
from regproxy.formats.huggingface.failures import ENTRY
from regproxy.formats.huggingface.local.operations import CopyFile, DeleteFile, DeleteFolder
from regproxy.formats.huggingface.local.snapshot import Entry, Snapshot
from regproxy.model.deposit import folders_above

MOST_FILES = 200_000

Applicable = Entry | DeleteFile | DeleteFolder | CopyFile
"""An addition is given as the entry that it becomes; its ``at`` is empty."""


@frozen
class Applied:
    """The outcome.

    Attributes:
        added: files whose bytes are new at their path, by path.
        lost: paths whose bytes were replaced or removed.
    """

    files: Mapping[str, Entry]
    added: Mapping[str, Entry] = field(factory=dict)
    lost: Sequence[str] = ()


def apply(before: Snapshot, operations: Sequence[Applicable], sources: Mapping[str, Snapshot]) -> Applied:
    """Apply them in their order; ``sources`` are the revisions that copies name."""
    files = dict(before.files)
    for operation in operations:
        _apply(files, operation, sources)
    for path, old in before.files.items():
        if old.same_as(files.get(path)):
            files[path] = old
    added = {path: entry for path, entry in files.items() if entry is not before.files.get(path)}
    _check(files, added)
    lost = [path for path, entry in before.files.items() if files.get(path) is not entry]
    return Applied(files, added, lost)


def _apply(files: dict[str, Entry], operation: Applicable, sources: Mapping[str, Snapshot]) -> None:
    match operation:
        case Entry():
            files[operation.path] = operation
        case DeleteFile(path):
            if files.pop(path, None) is None:
                raise AddressError(Kind.NOT_FOUND, ENTRY, f"there is no {path[:200]!a} to be deleted")
        case DeleteFolder(path):
            inside = [each for each in files if each.startswith(f"{path}/")]
            if not inside:
                raise AddressError(Kind.NOT_FOUND, ENTRY, f"there is no folder {path[:200]!a} to be deleted")
            for each in inside:
                del files[each]
        case CopyFile(path, source, revision):
            found = sources[revision].files.get(source) if revision else files.get(source)
            if found is None:
                raise AddressError(Kind.NOT_FOUND, ENTRY, f"there is no {source[:200]!a} to be copied")
            files[path] = evolve(found, path=path, at="")


def placed(applied: Applied, commit: str) -> Snapshot:
    """The files as they are found after the commit."""
    return Snapshot({path: evolve(entry, at=commit) if path in applied.added else entry for path, entry in applied.files.items()})


def _check(files: Mapping[str, Entry], added: Mapping[str, Entry]) -> None:
    """Nothing is a file and a folder, and all of it can be listed."""
    if len(files) > MOST_FILES:
        raise AddressError(Kind.TOO_LARGE, "TooManyFiles", f"a repository has at most {MOST_FILES} files")
    for path in added:
        for folder in folders_above(path):
            if folder[:-1] in files:
                text = f"{folder[:-1][:200]!a} is a file: nothing lies below it"
                raise AddressError(Kind.INVALID, "BadRequest", text)
    if added:
        folders = {folder[:-1] for path in files for folder in folders_above(path)}
        clash = next((path for path in added if path in folders), None)
        if clash is not None:
            raise AddressError(Kind.INVALID, "BadRequest", f"{clash[:200]!a} is a folder")
