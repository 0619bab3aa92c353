"""Quotas of a real server: refused in the words of each format, for those whom they concern."""

import json
from collections.abc import Callable

from tests.fakes.deploying import ask, local
from tests.fakes.people import PASSWORD, basic
from tests.fakes.process import Regproxy
from tests.wire.test_life import wait_until

QUOTAS = """
[[quota]]
users = ["ann"]
requestsPerSecond = 2
burst = 3

[[quota]]
users = ["anonymous"]
repositories = ["files"]
bytes = "1000"
periodSeconds = 1000
"""
IMAGES = '[[repository]]\nkey = "images"\nrclass = "local"\npackageType = "docker"\n'


def test_quotas(twist_regproxy: Callable[..., Regproxy]) -> None:
    """Requests of a user, bytes of an address; others go on, and he may again a moment later."""
    regproxy = twist_regproxy(QUOTAS + local() + IMAGES)
    admin = basic("admin", (regproxy.data_dir / "admin.password").read_text().strip())
    user = json.dumps({"password": PASSWORD}).encode()
    assert ask(regproxy, "PUT", "/api/security/users/ann", user, authorization=admin).status == 201
    assert ask(regproxy, "PUT", "/files/f", b"x" * 700, authorization=admin).status == 201

    def by_ann(path: str) -> int:
        return ask(regproxy, "GET", path, authorization=basic("ann")).status

    wait_until(lambda: by_ann("/files/f") == 429)
    refused = ask(regproxy, "GET", "/v2/images/a/tags/list", authorization=basic("ann"))
    while refused.status != 429:
        refused = ask(regproxy, "GET", "/v2/images/a/tags/list", authorization=basic("ann"))
    assert ("1", ["TOOMANYREQUESTS"]) == (refused.headers["retry-after"], [each["code"] for each in refused.json["errors"]])
    assert ask(regproxy, "GET", "/files/f", authorization=admin).status == 200
    wait_until(lambda: by_ann("/files/f") == 200)
    assert [200, 200, 429] == [ask(regproxy, "GET", "/files/f").status for _ in range(3)]
    late = ask(regproxy, "GET", "/files/f")
    assert 390 <= int(late.headers["retry-after"]) <= 402
    assert "quota" in late.error
    assert 'regproxy_shed_total{limit="quota"}' in ask(regproxy, "GET", "/metrics").body.decode()
