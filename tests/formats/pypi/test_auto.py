"""Which index the clients of a machine are set to."""

import pytest

from regproxy.formats.pypi.auto import COMMANDS, read_index_url

PIP_HELP = """
Package Index Options:
  -i, --index-url <url>       Base URL of the Python
                              Package Index (default
                              https://u:****@mirror.corp.
                              example/some-
                              long/simple).
                              This should point to
  --extra-index-url <url>     Extra URLs (default https://extra.example/simple).
"""
UV_HELP = """
      --default-index <DEFAULT_INDEX>
          The default package index (by default: <https://index.example/simple>).

  -i, --index-url <INDEX_URL>
          (Deprecated: use `--default-index` instead) The URL (by
          default: <https://old.example/simple>).
"""


@pytest.mark.parametrize(
    ("printed", "url"),
    [
        ("global.index-url='https://a.example/simple'\n", "https://a.example/simple"),
        (
            "global.index-url='https://a.example/simple'\ninstall.index-url='https://b.example/simple/'\n",
            "https://b.example/simple/",
        ),
        (
            ":env:.index-url='https://u:p@c.example/simple'\ninstall.index-url='https://b.example/simple'\n",
            "https://u:p@c.example/simple",
        ),
        ("global.extra-index-url='https://x.example/simple'\nglobal.cert='/x'\n", None),
        ("download.index-url='https://x.example/simple'\n", None),
        ("global.index-url='file:///srv/index'\n", None),
        ("global.index-url='broken\n", None),
        ("https://d.example/root/pypi/+simple/\n", "https://d.example/root/pypi/+simple/"),
        ("https://w.example/whl/cpu\n", "https://w.example/whl/cpu/."),
        (PIP_HELP, "https://u:****@mirror.corp.example/some-long/simple"),
        (UV_HELP, "https://index.example/simple"),
        ("", None),
        ("nothing of interest", None),
    ],
)
def test_read(printed: str, url: str | None) -> None:
    """The environment before ``install`` before ``global``, then what a help text has as the default, wrapped or not."""
    assert url == read_index_url(printed)


def test_commands_name_no_index() -> None:
    """Only programs are named, the environment first."""
    assert COMMANDS[0] == ["printenv", "PIP_INDEX_URL"]
    assert not any("http" in word for command in COMMANDS for word in command)
