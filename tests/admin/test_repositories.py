"""Lists and configurations, without secrets."""

import msgspec
import pytest

from regproxy.admin.repositories import configuration, listing
from regproxy.model.settings import CustomHeader, RepositorySettings

PYPI = RepositorySettings(key="py", rclass="remote", package_type="pypi", url="https://up.example", description="d")
FILES = RepositorySettings(key="files", rclass="remote", package_type="generic", url="https://up.example")
SECRET = "5ecret"


def test_entry() -> None:
    """In the shape that scripts read."""
    assert listing([PYPI], "https://here", "", "") == [
        {"key": "py", "description": "d", "type": "REMOTE", "url": "https://here/py", "packageType": "pypi"}
    ]


@pytest.mark.parametrize(
    ("rclass", "package_type", "keys"),
    [("", "", ["files", "py"]), ("REMOTE", "PyPI", ["py"]), ("local", "", []), ("", "generic", ["files"])],
)
def test_narrowed(rclass: str, package_type: str, keys: list[str]) -> None:
    """By either parameter, in whatever case; sorted by key."""
    assert [entry["key"] for entry in listing([PYPI, FILES], "", rclass, package_type)] == keys


def test_no_secret_is_shown() -> None:
    """Nor the values of headers, in whatever field they stand."""
    settings = RepositorySettings(
        key="r",
        rclass="remote",
        url="https://up.example",
        username="me",
        password=SECRET,
        query_params=f"sig={SECRET}",
        custom_http_headers=(CustomHeader("X-Key", SECRET, sensitive=True), CustomHeader("X-Plain", SECRET)),
    )
    shown = configuration(settings)
    assert SECRET not in msgspec.json.encode(shown).decode()
    assert (shown["key"], shown["url"], shown["username"]) == ("r", "https://up.example", "me")
