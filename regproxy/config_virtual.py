"""Whether the members of virtual repositories are there, and are what can be shown as one."""

from collections.abc import Iterable, Mapping

import msgspec

from regproxy.config_reading import Mistakes
from regproxy.model.settings import RepositorySettings

_MEMBERS = (
    *("username", "password", "password_file", "token", "token_file", "proxy", "disable_proxy", "client_tls_certificate"),
    *("ca_file", "enable_token_authentication", "allow_any_host_auth", "allowed_hosts", "query_params", "custom_http_headers"),
    *("local_address", "max_connections", "socket_timeout_millis", "retrieval_cache_period_secs"),
    *("metadata_retrieval_timeout_secs", "missed_retrieval_cache_period_secs", "assumed_offline_period_secs", "hard_fail"),
    *("offline", "landing", "fill", "segments", "segment_threshold", "remote_repo_checksum_policy_type"),
    *("block_mismatching_mime_types", "mismatching_mime_types_override_list", "bypass_head_requests", "propagate_query_params"),
    *("priority_resolution", "store_artifacts_locally", "max_bytes", "upload_part_bytes", "xet_from", "checksum_policy_type"),
    "unused_artifacts_cleanup_period_hours",
)
_OF_MEMBERS = [each for each in msgspec.structs.fields(RepositorySettings) if each.name in _MEMBERS]


def check_meaning(settings: RepositorySettings, where: str, mistakes: Mistakes) -> None:
    """Note what a file says of a virtual repository that only its members could obey. The REST API keeps such keys, as
    others that mean nothing here.
    """
    if settings.rclass == "virtual":
        for each in _OF_MEMBERS:
            if getattr(settings, each.name) != each.default:
                text = "expected nothing: it is a matter of the members of a virtual repository, which have this key themselves"
                mistakes.add(f"{where}.{each.encode_name}", text, settings.key[:80])


def check_virtual(settings: RepositorySettings, every: Iterable[RepositorySettings], where: str, mistakes: Mistakes) -> None:
    """Note what is wrong with one; ``every`` are all repositories, this one too."""
    known = {each.key: each for each in every}
    inside, name = f"{where}." if where else "", settings.key[:80]
    if settings.rclass != "virtual":
        said = {
            "repositories": settings.repositories,
            "defaultDeploymentRepo": settings.default_deployment_repo,
            "sharedNamesPattern": settings.shared_names_pattern,
        }
        for key in [key for key, value in said.items() if value][:1]:
            mistakes.add(f"{inside}{key}", "expected nothing: only a virtual repository has members", name)
        return
    for number, key in enumerate(settings.repositories):
        member, place = known.get(key), f"{inside}repositories[{number}]"
        if member is None:
            mistakes.add(place, f"expected the key of a repository: there is no {key[:80]!a}", name)
        elif member.package_type != settings.package_type:
            text = f"expected a repository of packageType {settings.package_type}: {key[:80]} is {member.package_type}"
            mistakes.add(place, text, name)
        if key in settings.repositories[:number]:
            mistakes.add(place, f"expected each member once: {key[:80]!a} stands before", name)
    if _reaches(settings.key, known):
        mistakes.add(f"{inside}repositories", "expected members that do not lead back to it", name)
    deployment = settings.default_deployment_repo
    target = known.get(deployment)
    if deployment and (target is None or target.rclass != "local" or deployment not in settings.repositories):
        mistakes.add(f"{inside}defaultDeploymentRepo", "expected one of its repositories that is local", name)


def _reaches(key: str, known: Mapping[str, RepositorySettings]) -> bool:
    """Whether a virtual repository is a member of itself, by whatever way."""
    waiting, seen = list(known[key].repositories), set[str]()
    while waiting:
        name = waiting.pop()
        if name == key:
            return True
        if name in known and name not in seen:
            seen.add(name)
            waiting += known[name].repositories
    return False
