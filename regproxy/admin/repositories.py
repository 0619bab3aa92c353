"""What the REST API says of repositories: lists and configurations. Pure."""

from collections.abc import Iterable, Sequence

import msgspec

from regproxy.model.settings import RepositorySettings

SECRET = frozenset({"password", "token", "passwordFile", "tokenFile", "queryParams"})


def summary(settings: RepositorySettings, base_url: str) -> dict[str, str]:
    """One entry of ``GET /api/repositories``."""
    return {
        "key": settings.key,
        "description": settings.description,
        "type": settings.rclass.upper(),
        "url": f"{base_url}/{settings.key}",
        "packageType": settings.package_type,
    }


def listing(every: Iterable[RepositorySettings], base_url: str, rclass: str, package_type: str) -> Sequence[dict[str, str]]:
    """The list, narrowed by its two parameters where they are not empty."""
    return [
        summary(settings, base_url)
        for settings in sorted(every, key=lambda settings: settings.key)
        if rclass.lower() in ("", settings.rclass) and package_type.lower() in ("", settings.package_type)
    ]


def configuration(settings: RepositorySettings) -> dict[str, object]:
    """The Repository Configuration JSON: every key, no secret; any header's value may be one."""
    plain: dict[str, object] = msgspec.to_builtins(settings)
    headers = [{**header, "value": ""} for header in _headers(plain)]
    return {name: value for name, value in plain.items() if name not in SECRET and value is not None} | {
        "customHttpHeaders": headers
    }


def _headers(plain: dict[str, object]) -> list[dict[str, object]]:
    headers = plain.get("customHttpHeaders")
    return list(headers) if isinstance(headers, (list, tuple)) else []
