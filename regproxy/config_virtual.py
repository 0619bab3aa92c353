"""Whether the members of virtual repositories are there, and are what can be shown as one."""

from collections.abc import Iterable, Mapping

from regproxy.config_reading import Mistakes
from regproxy.model.settings import RepositorySettings


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
