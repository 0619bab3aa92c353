"""The list of all projects, in both forms. Names are kept as upstream spells them, links are normalised. Pure."""

from collections.abc import Sequence
from html import escape

import msgspec

from regproxy.formats.pypi.names import normalise
from regproxy.formats.pypi.pages.html_form import read_anchors


class _Entry(msgspec.Struct):
    name: str


class _List(msgspec.Struct):
    projects: list[_Entry]
    meta: dict[str, object] = {}


_list = msgspec.json.Decoder(_List)


def read_list(data: bytes, *, is_json: bool) -> Sequence[str]:
    """The names on a list; ``ValueError`` for what is none."""
    if is_json:
        try:
            names = [entry.name for entry in _list.decode(data).projects]
        except msgspec.DecodeError as error:
            raise ValueError("not the JSON of a list of projects") from error
    else:
        names = ["".join(texts).strip() for _, texts in read_anchors(data).links]
    return [name for name in names if normalise(name) is not None]


def write_list_json(names: Sequence[str]) -> bytes:
    """As JSON."""
    return msgspec.json.encode({"meta": {"api-version": "1.0"}, "projects": [{"name": name} for name in names]})


def write_list_html(names: Sequence[str]) -> bytes:
    """As HTML."""
    links = [f'<a href="{normalise(name)}/">{escape(name)}</a><br>' for name in names]
    top = ["<!DOCTYPE html>", '<html><head><meta name="pypi:repository-version" content="1.0"><title>Simple index</title></head>']
    return "\n".join([*top, "<body>", *links, "</body></html>", ""]).encode()
