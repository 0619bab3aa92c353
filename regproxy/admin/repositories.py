"""What the REST API says of repositories: lists and configurations. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

import msgspec

from regproxy.model.settings import RepositorySettings

SECRET = frozenset({"password", "token", "passwordFile", "tokenFile", "queryParams"})
INTERNAL = frozenset(
    {"notes", "username", "proxy", "clientTlsCertificate", "caFile", "customHttpHeaders", "localAddress", "credentialHelper"}
)
"""What administrators see and nobody else."""

_NOTHING: Mapping[str, object] = MappingProxyType({})


def summary(settings: RepositorySettings, base_url: str) -> dict[str, str]:
    """One entry of ``GET /api/repositories``."""
    return {
        "key": settings.key,
        "description": settings.description,
        "type": settings.rclass.upper(),
        "url": f"{base_url}/{settings.key}",
        "packageType": settings.package_type,
    }


def chosen(
    every: Iterable[RepositorySettings], rclasses: str, package_types: str, projects: str = ""
) -> Sequence[RepositorySettings]:
    """By key; narrowed by lists with commas where they are not empty."""
    return [
        settings
        for settings in sorted(every, key=lambda settings: settings.key)
        if _is_among(settings.rclass, rclasses)
        and _is_among(settings.package_type, package_types)
        and _is_among(settings.project_key, projects)
    ]


def _is_among(word: str, words: str) -> bool:
    return not words or word.lower() in [each.strip().lower() for each in words.split(",")]


def configuration(settings: RepositorySettings, said: Mapping[str, object] = _NOTHING) -> dict[str, object]:
    """The Repository Configuration JSON: every key, those of ``said`` that mean nothing here too, and no secret: any header's
    value may be one.
    """
    plain: dict[str, object] = msgspec.to_builtins(settings)
    headers = [{**header, "value": ""} for header in _headers(plain)]
    unknown = {name: value for name, value in said.items() if name not in plain}
    known = {name: value for name, value in plain.items() if name not in SECRET and value is not None}
    return unknown | known | {"customHttpHeaders": headers}


def public(settings: RepositorySettings) -> dict[str, object]:
    """As much of it as everybody sees who sees the repository; a key may stand in the query of the URL."""
    shown = configuration(settings) | {"url": settings.url.partition("?")[0]}
    return {name: value for name, value in shown.items() if name not in INTERNAL}


def _headers(plain: dict[str, object]) -> list[dict[str, object]]:
    headers = plain.get("customHttpHeaders")
    return list(headers) if isinstance(headers, (list, tuple)) else []
