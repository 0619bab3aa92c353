"""What the configuration file may say of a virtual repository."""

from pathlib import Path

import pytest

from regproxy.config import ConfigurationError, load
from regproxy.formats_found import find_formats

MEMBER = '[[repository]]\nkey = "mine"\nrclass = "local"\n'
VIRTUAL = '[[repository]]\nkey = "all"\nrclass = "virtual"\nrepositories = ["mine"]\n'


def mistakes(tmp_path: Path, *lines: str) -> list[str]:
    """What is said of a file with these keys of a virtual repository, without the file's name."""
    file = tmp_path / "f.toml"
    file.write_text("\n".join([MEMBER + VIRTUAL, *lines]))
    try:
        load(file, formats=find_formats(), environment={})
    except ConfigurationError as error:
        return [line.removeprefix(f"{file}: ") for line in error.lines]
    return []


@pytest.mark.parametrize(
    "line",
    [
        "hardFail = true",
        "offline = true",
        "priorityResolution = true",
        'username = "u"',
        "storeArtifactsLocally = false",
        'maxBytes = "1GiB"',
        "retrievalCachePeriodSecs = 0",
        "allowedHosts = ['a.example']",
    ],
)
def test_keys_without_a_meaning(tmp_path: Path, line: str) -> None:
    """An operator who writes one believes that it does something."""
    text = "expected nothing: it is a matter of the members of a virtual repository, which have this key themselves"
    assert [f"repository[1].{line.partition(' ')[0]} (all): {text}"] == mistakes(tmp_path, line)


def test_keys_with_one(tmp_path: Path) -> None:
    """And those that are at their defaults, and those that mean nothing anywhere yet."""
    lines = "blackedOut = true", 'excludesPattern = "a/**"', 'sharedNamesPattern = "b"', 'defaultDeploymentRepo = "mine"'
    assert [] == mistakes(tmp_path, *lines, "hardFail = false", "virtualRetrievalCachePeriodSecs = 600", 'description = "d"')


def test_a_member_named_twice(tmp_path: Path) -> None:
    """Is one mistake, at the second place."""
    other = VIRTUAL.replace('"all"', '"more"').replace('["mine"]', '["mine", "all", "mine", "mine"]')
    expected = "repository[2].repositories[2] (more): expected each member once: 'mine' stands before"
    assert [expected, expected.replace("[2] (", "[3] (")] == mistakes(tmp_path, other)
