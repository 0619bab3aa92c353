"""What the form of an upload says, read and compared with the file's name. Pure."""

from collections.abc import Mapping

from attrs import frozen
from packaging.utils import InvalidSdistFilename, InvalidWheelFilename, parse_sdist_filename, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from regproxy.errors import Kind, RegproxyError
from regproxy.formats.pypi.names import file_path, is_file, normalise
from regproxy.model.digest import BLAKE2B_256, Digest

FILE = "content"
"""The part of the form that is the file."""
_DIGESTS = {"sha256_digest": "sha256", "blake2_256_digest": BLAKE2B_256, "md5_digest": "md5"}
FIELDS = frozenset({":action", "protocol_version", "name", "version", "filetype", *_DIGESTS})
_WHEEL, _SDIST = "bdist_wheel", "sdist"


@frozen
class Claim:
    """What a file is said to be.

    Attributes:
        name: of the project, normalised.
        digests: what its bytes are said to hash to.
    """

    name: str
    version: Version
    file: str
    digests: tuple[Digest, ...] = ()

    @property
    def path(self) -> str:
        """Of its node."""
        return file_path(self.name, self.file)

    def agrees(self, name: str, version: str) -> bool:
        """Whether another source says the same of it."""
        return normalise(name) == self.name and _version(version) == self.version


def claim_of(fields: Mapping[str, str], file: str) -> Claim:
    """Read a form; ``RegproxyError`` (INVALID) says what is wrong with it."""
    if fields.get(":action") != "file_upload" or fields.get("protocol_version", "1") != "1":
        raise _invalid("the one thing that can be done here is :action=file_upload, with protocol_version 1")
    claim = claim_of_file(file)
    kind = _WHEEL if file.endswith(".whl") else _SDIST
    if fields.get("filetype", kind) != kind:
        raise _invalid(f"the filetype of {file} is {kind}")
    if not claim.agrees(fields.get("name", ""), fields.get("version", "")):
        raise _invalid(f"the name or the version in the form is not that of {file}")
    return Claim(claim.name, claim.version, file, tuple(_digests(fields)))


def claim_of_file(file: str) -> Claim:
    """What a file's name alone says."""
    try:
        if not is_file(file):
            raise _invalid("the name of the file cannot be one")
        name, version = parse_wheel_filename(file)[:2] if file.endswith(".whl") else parse_sdist_filename(file)
    except (InvalidWheelFilename, InvalidSdistFilename) as error:
        raise _invalid(f"neither a wheel nor an sdist: {file!a}") from error
    if normalise(name) != name:
        raise _invalid(f"the name of a project is missing in {file!a}")
    return Claim(name, version, file)


def _digests(fields: Mapping[str, str]) -> list[Digest]:
    try:
        return [Digest(algorithm, fields[name].lower()) for name, algorithm in _DIGESTS.items() if fields.get(name)]
    except ValueError as error:
        raise _invalid(f"a digest in the form cannot be read: {error}") from error


def _version(text: str) -> Version | None:
    try:
        return Version(text)
    except InvalidVersion:
        return None


def _invalid(text: str) -> RegproxyError:
    return RegproxyError(Kind.INVALID, text)
