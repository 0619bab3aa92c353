"""What can be seen on this machine: the data folder, the disk under it, open files, secrets, certificates, and whether a server
runs. Blocks.
"""

import os
import resource
import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from regproxy.access.first import FILE as FIRST_PASSWORD
from regproxy.cli.asking import NotRunningError, fetches
from regproxy.cli.doctoring.finding import Finding, bad, good, warning
from regproxy.cli.showing import size
from regproxy.config_warnings import warnings
from regproxy.descriptors import MOST, Affordable
from regproxy.model.settings import Configuration
from regproxy.model.size import parse_size

LEAST_FREE = 64 << 20
LITTLE_FREE = 0.05
LEAST_FILES = 1000
FEW_DESCRIPTORS = 4096
SOON_DAYS = 14
_FAR = ("nfs", "cifs", "smb", "9p", "fuse.sshfs", "ceph", "lustre", "glusterfs")
_OTHERS, _ALL_OTHERS = 0o077, 0o007


def examine(configuration: Configuration, file: Path) -> Iterator[Finding]:
    """Everything, in the order in which it should be repaired."""
    folder = Path(configuration.server.data_dir).absolute()
    yield from _folder(folder)
    yield from _disk(folder, configuration)
    yield _descriptors()
    yield _server(folder)
    yield from _secrets(configuration, file)
    yield from (warning(each.subject, each.text, each.advice) for each in warnings(configuration))
    for name, path in _certificates(configuration):
        yield _certificate(name, Path(path))


def _existing(folder: Path) -> Path:
    return next(path for path in (folder, *folder.parents) if path.exists())


def _folder(folder: Path) -> Iterator[Finding]:
    there = _existing(folder)
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        advice = "run it as the server's user, or give that user the folder (chown)"
        yield bad("dataDir", f"{there} cannot be written to: {error.strerror}", advice)
    else:
        yield good("dataDir", f"{folder} can be written to" if there == folder else f"{folder} will be made")
    if there == folder:
        about = folder.stat()
        if about.st_uid != os.geteuid():
            yield warning("dataDir", f"{folder} belongs to another user ({about.st_uid})", "run the doctor as the server's user")
        if about.st_mode & _OTHERS:
            yield warning("dataDir", "other users may enter it", f"chmod 700 {folder}")
    kind = _file_system(there)
    if kind.startswith(_FAR):
        yield bad("dataDir", f"it lies on {kind}", "the index and the locks need a local file system")


def _file_system(path: Path) -> str:
    """The kind of file system that a path is on, as Linux names it."""
    found = ("", "")
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields, _, behind = line.partition(" - ")
        at = fields.split()[4].replace("\\040", " ")
        if path.is_relative_to(at) and len(at) >= len(found[0]):
            found = (at, behind.split()[0])
    return found[1]


def _disk(folder: Path, configuration: Configuration) -> Iterator[Finding]:
    there = _existing(folder)
    usage = shutil.disk_usage(there)
    text = f"{size(usage.free)} of {size(usage.total)} are free"
    if usage.free < LEAST_FREE:
        yield bad("disk", text, "make room: nothing can be stored, and bodies pass through")
    elif usage.free < usage.total * LITTLE_FREE:
        yield warning("disk", text, "make room, or set [store] maxBytes so that old artifacts go in time")
    else:
        yield good("disk", text)
    about = os.statvfs(there)
    if about.f_files and about.f_favail < LEAST_FILES:
        yield bad("disk", f"there is room for {about.f_favail} more files only", "make room for inodes")
    most = configuration.store.max_bytes
    if most and parse_size(most) > usage.total:
        yield warning("disk", f"[store] maxBytes = {most} is more than the disk has", "the disk will be full before it holds")


def _descriptors() -> Finding:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    files = MOST if hard == resource.RLIM_INFINITY else min(hard, MOST)
    room = Affordable.of(files)
    text = f"{files} open files are allowed here: {room.connections} clients and {room.fills} fills at a time"
    if files < FEW_DESCRIPTORS:
        return warning("descriptors", text, "raise LimitNOFILE= in the unit, or ulimit -Hn")
    return good("descriptors", text)


def _server(folder: Path) -> Finding:
    try:
        fills = fetches(folder)
    except NotRunningError:
        return good("server", "none answers for this dataDir")
    return good("server", f"it answers, with {len(fills)} fills going on")


def _secrets(configuration: Configuration, file: Path) -> Iterator[Finding]:
    named = [
        (f"repository {each.key}", name) for each in configuration.repository for name in (each.password_file, each.token_file)
    ]
    named += [(f"proxy {each.key}", each.password_file) for each in configuration.proxy]
    for owner, name in named:
        path = file.absolute().parent / name
        if name and path.stat().st_mode & _OTHERS:
            yield warning("secrets", f"{path} ({owner}) can be read by other users", f"chmod 600 {path}")
    written = any(each.password or each.token for each in configuration.repository if not (each.password_file or each.token_file))
    if written and file.stat().st_mode & _ALL_OTHERS:
        yield warning("secrets", f"{file} holds a secret and can be read by everybody", f"chmod 640 {file}, or use passwordFile")
    password = Path(configuration.server.data_dir) / FIRST_PASSWORD
    if password.exists():
        advice = "change it (regproxy user create admin), then delete the file"
        yield warning("secrets", f"the first administrator's password still lies in {password}", advice)


def _certificates(configuration: Configuration) -> list[tuple[str, str]]:
    found = [(f"listener {each.address}", each.certificate) for each in configuration.server.listener]
    return found + [(f"certificate {each.alias}", each.certificate) for each in configuration.certificate]


def _certificate(name: str, path: Path) -> Finding:
    try:
        ends = x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc
    except (OSError, ValueError) as error:
        return bad(name, f"{path} is no certificate: {error}", "a PEM file is expected")
    days = (ends - datetime.now(UTC)).days
    text = f"{path} is good until {ends:%Y-%m-%d}"
    if days < 0:
        return bad(name, f"{path} has expired on {ends:%Y-%m-%d}", "renew it: a listener takes the new file without a restart")
    return warning(name, text, "renew it soon") if days < SOON_DAYS else good(name, text)
