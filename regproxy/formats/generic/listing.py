"""A folder of a local repository as a page: names and sizes, and nothing that runs. Pure."""

from collections.abc import Sequence
from html import escape
from urllib.parse import quote

from regproxy.model.deposit import Child
from regproxy.model.headers import Headers
from regproxy.repo.interface import Text
from regproxy.web.items import when

_HEADERS = Headers.of(content_security_policy="sandbox allow-downloads; default-src 'none'", cache_control="no-store")


def listing(title: str, address: str, children: Sequence[Child]) -> Text:
    """Write the page; ``address`` is that of the folder, with its slash."""
    lines = []
    for child in children:
        name = child.name if child.node else f"{child.name}/"
        about = f"{when(child.node.modified)} {child.node.size}" if child.node else "-"
        lines.append(f'<a href="{escape(quote(f"{address}{name}"))}">{escape(name)}</a>  {about}')
    up = "" if title.endswith("/") and title.count("/") == 1 else '<a href="../">../</a>\n'
    page = f"<!DOCTYPE html>\n<html><head><title>{escape(title)}</title></head>\n<body><h1>{escape(title)}</h1><pre>\n{up}"
    body = page + "".join(f"{line}\n" for line in lines) + "</pre></body></html>\n"
    return Text(body.encode(), "text/html; charset=utf-8", headers=_HEADERS)
