"""What a project's page says, in whatever form it was written (PEP 503, 592, 658, 691, 700, 714, 740, 792).

Keys that we don't know stay in ``extra`` and are written again: an index may say more than its readers expect.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from attrs import frozen

from regproxy.model.digest import Digest

NOTHING: Mapping[str, object] = MappingProxyType({})
NO_HASHES: Mapping[str, str] = MappingProxyType({})

# In the order of trust; ``Digest`` knows them all.
_ALGORITHMS = ("sha256", "sha512", "sha384", "sha1", "md5")


@frozen
class File:
    """One file.

    Attributes:
        url: absolute, without user and fragment.
        hashes: algorithm → hexadecimal value.
        core_metadata: whether ``.metadata`` lies beside it: hashes, a bare yes or no, or nothing said.
        yanked: False, True, or why.
        upload_time: verbatim; clients that wait for a file to age depend on it.
    """

    filename: str
    url: str
    hashes: Mapping[str, str] = NO_HASHES
    requires_python: str | None = None
    core_metadata: bool | Mapping[str, str] | None = None
    yanked: bool | str = False
    size: int | None = None
    upload_time: str | None = None
    gpg_sig: bool | None = None
    provenance: str | None = None
    extra: Mapping[str, object] = NOTHING

    @property
    def digest(self) -> Digest | None:
        """What its bytes hash to, by the best algorithm that the index knows."""
        return best_digest(self.hashes)


@frozen
class Project:
    """One project.

    Attributes:
        files: in upstream's order; may be read anew, and refused with ``ValueError``, each time they are walked through.
        meta: ``api-version`` and whatever else stands beside it.
        versions: as listed; None if the index does not list them.
        status: ``status`` and ``reason`` of PEP 792.
        from_json: an HTML page says less: no sizes, no upload times.
    """

    name: str
    files: Iterable[File]
    meta: Mapping[str, object] = NOTHING
    versions: tuple[str, ...] | None = None
    status: Mapping[str, str] = NO_HASHES
    extra: Mapping[str, object] = NOTHING
    from_json: bool = True

    def find(self, filename: str) -> File | None:
        """The file with this name; of two the first, as clients take it."""
        return next((file for file in self.files if file.filename == filename), None)


def best_digest(hashes: Mapping[str, str]) -> Digest | None:
    """The digest to verify by; None if there is none that is well formed."""
    for algorithm in _ALGORITHMS:
        value = hashes.get(algorithm)
        if value is not None:
            try:
                return Digest(algorithm, value.lower())
            except ValueError:
                continue
    return None
