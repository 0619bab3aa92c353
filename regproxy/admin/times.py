"""Searches by when something happened, and by a pattern: ``/api/search/{creation,dates,usage,pattern}``.

Times are milliseconds since the epoch, or ISO 8601. Only what the client may read is found.
"""

import re
from collections.abc import Sequence
from contextlib import aclosing

from attrs import frozen

from regproxy.admin.arguments import Arguments
from regproxy.admin.looking import Looking
from regproxy.admin.search import MOST
from regproxy.admin.storage import render
from regproxy.errors import Kind, RegproxyError
from regproxy.model.access import Action
from regproxy.model.dates import instant
from regproxy.model.finding import AllOf, AnyOf, Compare, Criterion, Field, Finding, Found, How
from regproxy.model.patterns import Patterns
from regproxy.repo.interface import Text
from regproxy.web.items import storage_uri, when
from regproxy.web.request import ProxyRequest

FILES = Compare(Field.TYPE, How.EQ, "file")
DATES = {"created": Field.CREATED, "lastModified": Field.MODIFIED, "lastDownloaded": Field.DOWNLOADED}

_MILLIS = re.compile(r"[0-9]{1,14}")


@frozen(eq=False)
class TimeSearch:
    """Searches the repositories that ``repos`` names, or all."""

    _looking: Looking

    async def by_creation(self, request: ProxyRequest) -> Text:
        """``?from=&to=``: made between two times."""
        arguments = Arguments.of(request.uri)
        found = await self._found(request, arguments, _between(Field.CREATED, arguments))
        return render({"results": [{"uri": uri, "created": when(each.created)} for uri, each in found]})

    async def by_dates(self, request: ProxyRequest) -> Text:
        """``?dateFields=created,lastModified,lastDownloaded&from=&to=``: any of them lies between two times."""
        arguments = Arguments.of(request.uri)
        names = arguments.words("dateFields")
        if not names or not set(names) <= DATES.keys():
            raise RegproxyError(Kind.INVALID, f"dateFields are some of {', '.join(DATES)}")
        found = await self._found(request, arguments, AnyOf(tuple(_between(DATES[name], arguments) for name in names)))
        return render({"results": [{"uri": uri, **_dates(each, names)} for uri, each in found]})

    async def by_usage(self, request: ProxyRequest) -> Text:
        """``?notUsedSince=[&createdBefore=]``: not downloaded since, and made before that time or the other one."""
        arguments = Arguments.of(request.uri)
        since = _time(arguments, "notUsedSince")
        before = _time(arguments, "createdBefore") if "createdBefore" in arguments else since
        unused = AnyOf((Compare(Field.DOWNLOADED, How.LT, since), Compare(Field.DOWNLOADS, How.EQ, 0)))
        wanted = AllOf((unused, Compare(Field.CREATED, How.LT, before)))
        found = await self._found(request, arguments, wanted)
        return render({"results": [{"uri": uri, **_dates(each, ("lastDownloaded",))} for uri, each in found]})

    async def by_pattern(self, request: ProxyRequest) -> Text:
        """``?pattern=repo:a/*/b*.jar``: ``*`` and ``?`` stand within one folder, ``**`` for any folders."""
        key, colon, pattern = Arguments.of(request.uri).first("pattern").partition(":")
        if not colon or not pattern or "," in pattern:
            raise RegproxyError(Kind.INVALID, "pattern is written repository:path")
        places = self._looking.places(request, (key,))
        if not places:
            raise RegproxyError(Kind.NOT_FOUND, f"there is no repository {key!a}")
        served, patterns = next(iter(places.values())), _patterns(pattern)
        paths: list[str] = []
        async for page in served.tree.below(""):
            paths += [
                node.path for node in page if patterns.admits(node.path) and served.permits(request, Action.READ, node.path)
            ]
            if len(paths) >= MOST:
                break
        base_url = served.base_url(request)
        return render({"repoUri": f"{base_url}/{key}", "sourcePattern": f"{key}:{pattern}", "files": paths[:MOST]})

    async def _found(self, request: ProxyRequest, arguments: Arguments, wanted: Criterion) -> Sequence[tuple[str, Found]]:
        places = self._looking.places(request, arguments.words("repos"))
        found: list[tuple[str, Found]] = []
        async with aclosing(self._looking.pages(request, Finding(AllOf((FILES, wanted))), places)) as pages:
            async for page in pages:
                for each in page:
                    served = places[each.repository]
                    found.append((storage_uri(served.base_url(request), served.repository.key, each.path), each))
                if len(found) >= MOST:
                    break
        return found[:MOST]


def _between(field: Field, arguments: Arguments) -> Criterion:
    first = _time(arguments, "from")
    last = [Compare(field, How.LTE, _time(arguments, "to"))] if "to" in arguments else []
    return AllOf((Compare(field, How.GTE, first), *last))


def _time(arguments: Arguments, name: str) -> float:
    text = arguments.first(name)
    if _MILLIS.fullmatch(text):
        return int(text) / 1000
    try:
        return instant(text)
    except ValueError:
        raise RegproxyError(Kind.INVALID, f"{name} is a time in milliseconds, or 2026-01-31T12:00:00Z") from None


def _dates(found: Found, names: Sequence[str]) -> dict[str, str]:
    times = {"created": found.created, "lastModified": found.modified, "lastDownloaded": found.downloaded}
    return {name: when(seconds) for name in names if (seconds := times[name]) is not None}


def _patterns(text: str) -> Patterns:
    try:
        return Patterns.of(text)
    except ValueError as error:
        raise RegproxyError(Kind.INVALID, str(error)) from error
