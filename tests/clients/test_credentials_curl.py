"""curl with every form of credential: each lets in whom it should, and says why where it does not."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.people import PASSWORD, basic
from tests.fakes.place import EXCHANGE, ID_TOKEN, Place, placed

pytestmark = pytest.mark.client("curl")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """One for all."""
    with placed(tmp_path_factory.mktemp("curl")) as made:
        yield made


def curl(*arguments: str | Path) -> tuple[str, str]:
    """Status and body."""
    done = subprocess.run(
        ["curl", "-sS", "-w", "\n%{http_code}", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        errors="replace",
    )
    assert done.returncode == 0, done.stderr
    body, _, status = done.stdout.rpartition("\n")
    return status, body


def token(place: Place, **wish: object) -> dict[str, str]:
    """Ann has one made."""
    as_json = ("-H", "Content-Type: application/json", "-d", json.dumps(wish))
    status, body = curl("-u", f"ann:{PASSWORD}", *as_json, f"{place.regproxy.base_url}/access/api/v1/tokens")
    assert status == "200", body
    found: dict[str, str] = json.loads(body)
    return found


def test_every_form(place: Place) -> None:
    """A name with a password, with a token; a token by itself in two headers; its short form; refreshed; none, and wrong ones."""
    made = token(place, include_reference_token=True, refreshable=True, expires_in=600)
    access, short = made["access_token"], made["reference_token"]
    base = f"{place.regproxy.base_url}/artifactory/files"
    forms: dict[str, list[str]] = {
        "basic": ["-u", f"ann:{PASSWORD}"],
        "basic-token": ["-u", f"ann:{access}"],
        "basic-reference": ["-u", f"ann:{short}"],
        "nameless": ["-u", f":{access}"],
        "bearer": ["-H", f"Authorization: Bearer {access}"],
        "oauth2": ["--oauth2-bearer", short],
        "api-key": ["-H", f"X-JFrog-Art-Api: {access}"],
        "api-key-reference": ["-H", f"X-JFrog-Art-Api: {short}"],
    }
    put_by = {name: curl("-X", "PUT", "-d", "x", *form, f"{base}/{name}")[0] for name, form in forms.items()}
    assert put_by == dict.fromkeys(forms, "201")
    wrong = {
        "nothing": [],
        "password": ["-u", "ann:wrong"],
        "user": ["-u", f"bob:{access}"],
        "bearer": ["--oauth2-bearer", access[:-3]],
        "api-key": ["-H", "X-JFrog-Art-Api: rpx_made-up"],
    }
    refused = {name: curl("-X", "PUT", "-d", "x", *form, f"{base}/{name}")[0] for name, form in wrong.items()}
    assert refused == dict.fromkeys(wrong, "401")
    status, body = curl(
        "-d", f"grant_type=refresh_token&refresh_token={made['refresh_token']}", f"{place.regproxy.base_url}/access/api/v1/tokens"
    )
    again = json.loads(body)["access_token"]
    assert (status, curl("-X", "PUT", "-d", "x", "--oauth2-bearer", again, f"{base}/again")[0]) == ("200", "201")
    assert curl("-X", "PUT", "-d", "x", "--oauth2-bearer", access, f"{base}/old")[0] == "401"


def test_a_token_without_the_right(place: Place) -> None:
    """403, with the reason where curl shows it."""
    narrow = token(place, scope="artifact:files/in/**:r,w")["access_token"]
    url = f"{place.regproxy.base_url}/files"
    assert curl("-X", "PUT", "-d", "x", "--oauth2-bearer", narrow, f"{url}/in/f")[0] == "201"
    status, body = curl("-X", "PUT", "-d", "x", "--oauth2-bearer", narrow, f"{url}/out/f")
    assert (status, json.loads(body)["errors"][0]["message"]) == ("403", "ann may not write this in files")


def test_a_job_of_a_ci_system(place: Place) -> None:
    """Trades its token, by JSON and by a form."""
    job = place.issuer.token(repository="acme/app", ref="refs/heads/main")
    asked = {"grant_type": EXCHANGE, "subject_token_type": ID_TOKEN, "subject_token": job, "provider_name": "ci"}
    url = f"{place.regproxy.base_url}/access/api/v1/oidc/token"
    by_json = curl("-H", "Content-Type: application/json", "-d", json.dumps(asked), url)
    by_form = curl(*(part for name, value in asked.items() for part in ("--data-urlencode", f"{name}={value}")), url)
    for number, (status, body) in enumerate((by_json, by_form)):
        assert status == "200", body
        bearer = json.loads(body)["access_token"]
        assert (
            curl("-T", place.regproxy.config, "--oauth2-bearer", bearer, f"{place.regproxy.base_url}/files/builds/{number}")[0]
            == "201"
        )
    place.issuer.rotate("ES256")
    late = place.issuer.token(repository="acme/app", ref="refs/heads/main", exp=1)
    status, body = curl("-H", "Content-Type: application/json", "-d", json.dumps({**asked, "subject_token": late}), url)
    assert (status, "ci" in body) == ("401", True)


def test_a_client_certificate(place: Place) -> None:
    """With its key; without one there is no connection."""
    pair, url = place.authority.client("builder-1"), f"https://localhost:{place.port}/files/builds/tls"
    shown = ("--cacert", place.authority.path, "--cert", pair.certificate, "--key", pair.key)
    assert curl("-X", "PUT", "-d", "x", *shown, url)[0] == "201"
    assert curl("-X", "PUT", "-d", "x", *shown, "-H", f"Authorization: {basic('ann')}", url + "2")[0] == "201"
    bare = subprocess.run(["curl", "-sS", "--cacert", place.authority.path, url], capture_output=True, check=False, timeout=60)
    assert bare.returncode != 0
