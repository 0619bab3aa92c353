"""The checks of ``[[webhook]]``."""

import re
from collections import Counter

from regproxy.config_reading import Mistakes
from regproxy.config_urls import split_url
from regproxy.hooks.letters import key_of
from regproxy.model.patterns import Patterns
from regproxy.model.settings import Configuration, Webhook
from regproxy.telemetry.events import What

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_EVENTS = frozenset(what.value for what in What)


def check_webhooks(configuration: Configuration, mistakes: Mistakes) -> None:
    """Note everything that is wrong."""
    proxies = {proxy.key for proxy in configuration.proxy}
    names = Counter(hook.name for hook in configuration.webhook)
    for number, hook in enumerate(configuration.webhook):
        where = f"webhook[{number}]"
        if not _NAME.fullmatch(hook.name) or names[hook.name] > 1:
            mistakes.add(
                f"{where}.name", "expected 1 to 64 letters, digits, '.', '_' and '-' that no other one has", hook.name[:80]
            )
        for key, text in _wrong(hook, proxies):
            mistakes.add(f"{where}.{key}", text, hook.name[:80])


def _wrong(hook: Webhook, proxies: set[str]) -> list[tuple[str, str]]:
    found = []
    if split_url(hook.url) is None:
        found.append(("url", "expected an http or https URL, without a user, a password or a fragment"))
    if not hook.events or not _EVENTS.issuperset(hook.events):
        found.append(("events", f"expected some of {', '.join(sorted(_EVENTS))}"))
    try:
        Patterns.of(hook.includes_pattern, hook.excludes_pattern)
    except ValueError as error:
        found.append(("includesPattern", str(error)))
    try:
        key_of(hook.secret)
    except ValueError:
        found.append(("secret", "expected base64 behind whsec_"))
    if hook.proxy and hook.proxy not in proxies:
        found.append(("proxy", "expected the key of a [[proxy]]"))
    return found
