"""Every way to show who one is, at a real server: tokens of another issuer, refreshed tokens, client certificates."""

from collections.abc import Iterator

import pytest

from tests.fakes.deploying import ask
from tests.fakes.people import basic
from tests.fakes.place import Place, placed


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """One for all."""
    with placed(tmp_path_factory.mktemp("credentials")) as made:
        yield made


def test_a_job_trades_its_token(place: Place) -> None:
    """And may what the mapping says, and no more; keys are fetched once, and a new one is found."""
    answer = place.trade(place.issuer.token(repository="acme/app", ref="refs/heads/main"))
    assert (answer.status, answer.json["username"], answer.json["expires_in"]) == (200, "deploy", 600)
    assert answer.headers["cache-control"] == "no-store"
    bearer = f"Bearer {answer.json['access_token']}"
    assert (201, 403) == (place.put("/files/builds/1", bearer), place.put("/files/other", bearer))
    assert place.trade(place.issuer.token(repository="acme/app", ref="refs/heads/x")).status == 200
    assert place.issuer.asked["/keys"] == 1
    assert place.trade(place.issuer.token(repository="evil/app", ref="refs/heads/main")).status == 403
    stolen = place.trade(place.issuer.token(aud="another", repository="acme/app", ref="refs/heads/main"))
    assert (401, True) == (stolen.status, "Audience" in stolen.error)
    listed = ask(place.regproxy, "GET", "/access/api/v1/tokens", authorization=place.admin).json["tokens"]
    assert {"ci: job:1"} == {each.get("description") for each in listed}


def test_tokens_are_refreshed(place: Place) -> None:
    """By what was given with them, once; the token of before is worth nothing then."""
    first = place.post("/access/api/v1/tokens", {"refreshable": True, "expires_in": 60}, authorization=basic("ann")).json
    again = place.post("/access/api/v1/tokens", {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]})
    assert (again.status, again.json["scope"], again.json["expires_in"]) == (200, first["scope"], 60)
    old, new = (f"Bearer {each['access_token']}" for each in (first, again.json))
    assert (401, 201) == (place.put("/files/old", old), place.put("/files/new", new))
    for used in (again.json["access_token"], again.json["refresh_token"][:-1], f"{first['refresh_token'][:-1]}!", ""):
        refused = place.post("/access/api/v1/tokens", {"grant_type": "refresh_token", "refresh_token": used})
        assert refused.status == 401
    plain = place.post("/access/api/v1/tokens", {}, authorization=basic("ann")).json
    assert "refresh_token" not in plain


def test_client_certificates(place: Place) -> None:
    """Their names say who it is; what is shown besides counts more; one that fits nobody is anonymous."""
    assert place.over_tls("PUT", "/files/by-certificate", "builder-7") == 201
    assert place.over_tls("PUT", "/files/by-another", "other") == 401
    assert place.over_tls("GET", "/files/by-certificate", "other") == 200
    assert place.over_tls("PUT", "/files/by-ann", "other", authorization=basic("ann")) == 201
    assert place.over_tls("GET", "/files/by-certificate", "lost") == 401
    shown = ask(place.regproxy, "GET", "/api/storage/files/by-certificate", authorization=place.admin).json
    assert shown["createdBy"] == "deploy"
