"""What the OpenAPI document says is what a live server does: schemathesis makes requests of it, good ones and bad ones."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest_twisted

from regproxy.model.principals import User
from tests.fakes.deploying import ask, local
from tests.fakes.people import HASH, basic, populate
from tests.fakes.process import Regproxy, run
from tests.sources import CHECKOUT

CHECKS = ("not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance")
KEEPER = "zz-keeper"
EXAMPLES = 4
SEED = 20260131


@pytest_twisted.ensureDeferred
async def test_the_document_tells_the_truth(twist_regproxy: Callable[..., Regproxy], tmp_path: Path) -> None:
    """No failure of the server, no status, media type or body that the document does not have.

    The administrator who asks has a name that no example has, and a session, which nobody can revoke: users and tokens come
    and go meanwhile.
    """
    regproxy = twist_regproxy(local() + local("other"))
    populate(regproxy, User(name=KEEPER, password=HASH, admin=True))
    token = ask(regproxy, "GET", "/v2/token", authorization=basic(KEEPER)).json["token"]
    assert 201 == ask(regproxy, "PUT", "/files/docs/guide.txt;stage=final", b"guide").status
    command = [sys.executable, "-m", "schemathesis.cli", "run", str(CHECKOUT / "docs" / "api" / "openapi.json")]
    options = ["--url", regproxy.base_url, "--header", f"Authorization: Bearer {token}", "--checks", ",".join(CHECKS)]
    phases = ["--phases", "examples,coverage,fuzzing", "--max-examples", str(EXAMPLES), "--seed", str(SEED), "--no-shrink"]
    calm = ["--request-timeout", "60", "--warnings", "off", "--suppress-health-check", "all"]
    finished = await run([*command, *options, *phases, *calm], cwd=tmp_path, seconds=240)
    assert finished.code == 0, finished.output[-8000:]
    assert "passed" in finished.output
    assert 200 == ask(regproxy, "GET", "/api/system/ping").status
