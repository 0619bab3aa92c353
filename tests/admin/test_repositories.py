"""Lists and configurations, without secrets."""

import msgspec
import pytest

from regproxy.admin.repositories import chosen, configuration, public, summary
from regproxy.model.settings import CustomHeader, RepositorySettings

PYPI = RepositorySettings(key="py", rclass="remote", package_type="pypi", url="https://up.example", description="d")
FILES = RepositorySettings(key="files", rclass="remote", package_type="generic", url="https://up.example")
SECRET = "5ecret"


def test_entry() -> None:
    """In the shape that scripts read."""
    assert summary(PYPI, "https://here") == {
        "key": "py",
        "description": "d",
        "type": "REMOTE",
        "url": "https://here/py",
        "packageType": "pypi",
    }


@pytest.mark.parametrize(
    ("rclass", "package_type", "keys"),
    [
        ("", "", ["files", "py"]),
        ("REMOTE", "PyPI", ["py"]),
        ("local", "", []),
        ("local,remote", "npm, generic", ["files"]),
    ],
)
def test_narrowed(rclass: str, package_type: str, keys: list[str]) -> None:
    """By either parameter, in whatever case, lists too; sorted by key."""
    assert [settings.key for settings in chosen([PYPI, FILES], rclass, package_type)] == keys


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


def test_unknown_keys_come_back() -> None:
    """What means nothing here is shown as it was said; what means something, as it is."""
    shown = configuration(FILES, {"key": "other", "xrayDataTtl": 90, "password": SECRET})
    assert ("files", 90) == (shown["key"], shown["xrayDataTtl"])
    assert "password" not in shown


def test_some_is_for_administrators() -> None:
    """Who we are to an upstream is nobody else's business."""
    settings = RepositorySettings(key="r", rclass="remote", url="https://up.example", username="me", notes="n", proxy="p")
    shown = public(settings)
    assert ("r", "https://up.example") == (shown["key"], shown["url"])
    keyed = msgspec.structs.replace(settings, url="https://up.example/a?key=5ecret")
    assert ("https://up.example/a", keyed.url) == (public(keyed)["url"], configuration(keyed)["url"])
    assert not {"username", "notes", "proxy", "customHttpHeaders"} & shown.keys()
