"""A package imports from packages of lower levels only; ``docs/design/overview.md`` has the table."""

from pathlib import Path

from tests.sources import CHECKOUT, imports, name_of, python_files

LEVELS = [
    {"model", "errors"},
    {"stream", "telemetry"},
    {"store", "index", "upstream"},
    {"sharing", "access", "hooks"},
    {"repo"},
    {"upkeep"},
    {"web"},
    {"formats", "admin", "jobs"},
]
TOP = len(LEVELS)  # the modules of regproxy/ itself, and cli
INTERFACES_ONLY = {"store", "index", "upstream"}  # what repo sees of them
PURE = {"twisted", "klein", "treq", "OpenSSL", "socket", "subprocess", "apsw"}
REACTOR_SEEN_BY = {"regproxy/service.py", "regproxy/tap.py", "regproxy/supervisor/worker.py"}


def package_of(dotted: str) -> str | None:
    """The package of ours that a dotted name is in; None if it is not ours, "" for ``regproxy`` itself."""
    first, _, rest = dotted.partition(".")
    return rest.partition(".")[0] if first == "regproxy" else None


def level_of(package: str) -> int:
    """Its row."""
    return next((number for number, names in enumerate(LEVELS) if package in names), TOP)


def home_of(path: Path) -> str:
    """The package that a file of ours is in."""
    return path.relative_to(CHECKOUT / "regproxy").with_suffix("").parts[0]


def complaint(path: Path, line: int, dotted: str) -> str | None:
    """Why a file may not import this; None if it may."""
    home, target = home_of(path), package_of(dotted)
    if not target or target == "__version__":
        return None
    here, there = level_of(home), level_of(target)
    name = f"{name_of(path)}:{line} imports {dotted}"
    if home == target:
        both = (path.relative_to(CHECKOUT / "regproxy").parts[1], dotted.split(".")[2]) if home == "formats" else ("", "")
        return f"{name}: formats never import each other" if both[0] != both[1] and here == level_of("formats") else None
    if there > here or (there == here and here < TOP):
        return f"{name}: not from a lower level"
    if home in {"repo", "sharing", "access"} and target in INTERFACES_ONLY and ".interface" not in dotted:
        return f"{name}: {home} sees interfaces only"
    return None


def test_levels() -> None:
    """No import goes up or sideways."""
    found = [complaint(path, *item) for path in python_files("regproxy") for item in imports(path)]
    assert [text for text in found if text] == []


def test_model_is_pure() -> None:
    """Level 0 imports nothing that has a socket or a file in it."""
    found = [
        f"{name_of(path)}:{line} imports {dotted}"
        for path in python_files("regproxy/model")
        for line, dotted in imports(path)
        if dotted.partition(".")[0] in PURE
    ]
    assert found == []


def test_reactor_is_a_parameter() -> None:
    """The reactor is imported where the program is put together, and nowhere else."""
    found = [
        f"{name_of(path)}:{line}"
        for path in python_files("regproxy")
        for line, dotted in imports(path)
        if dotted == "twisted.internet.reactor" and name_of(path) not in REACTOR_SEEN_BY and home_of(path) != "cli"
    ]
    assert found == []


def test_the_test_sees_trouble() -> None:
    """What must be refused is refused."""
    regproxy = CHECKOUT / "regproxy"
    wrong = [
        (regproxy / "model/x.py", "regproxy.stream.source"),
        (regproxy / "store/x.py", "regproxy.index.interface"),
        (regproxy / "repo/x.py", "regproxy.store.disk.DiskStore"),
        (regproxy / "web/x.py", "regproxy.formats.oci"),
        (regproxy / "formats/oci/x.py", "regproxy.formats.pypi.names"),
        (regproxy / "admin/x.py", "regproxy.config.load"),
    ]
    assert [item for item in wrong if complaint(item[0], 1, item[1]) is None] == []
    fine = [
        (regproxy / "repo/x.py", "regproxy.store.interface.BlobStore"),
        (regproxy / "formats/oci/x.py", "regproxy.formats.oci.plan"),
    ]
    assert [complaint(path, 1, dotted) for path, dotted in fine] == [None, None]
