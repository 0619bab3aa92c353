"""Which form a client takes."""

import pytest

from regproxy.formats.pypi.pages.accept import Form, choose, wants_json

PIP = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html; q=0.1, text/html; q=0.01"


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        (None, Form.TEXT),
        ("*/*", Form.TEXT),
        (PIP, Form.JSON),
        ("application/vnd.pypi.simple.v1+json, */*;q=0.1", Form.JSON),
        ("text/html, application/vnd.pypi.simple.v1+json;q=0.5", Form.TEXT),
        ("application/vnd.pypi.simple.v1+html, text/html;q=0.2", Form.HTML),
        ("application/vnd.pypi.simple.latest+json", Form.JSON),
        ("application/json", Form.JSON),
        ("text/*;q=0.3, application/vnd.pypi.simple.v1+html;q=0.2", Form.TEXT),
        ("application/vnd.pypi.simple.v1+json;q=0, */*;q=0.1", Form.TEXT),
        ("application/vnd.pypi.simple.v1+json;q=nonsense, text/html;q=0.1", Form.TEXT),
        ("image/png", Form.TEXT),
        (" , ;;", Form.TEXT),
        ("APPLICATION/VND.PYPI.SIMPLE.V1+JSON", Form.JSON),
    ],
)
def test_choose(accept: str | None, form: Form) -> None:
    """By quality, the most specific range deciding; HTML where nothing is said or nothing fits."""
    assert form is choose(accept)


def test_a_page_that_is_html_upstream_stays_html() -> None:
    """It has no upload times, and must not look as if it could have; who takes JSON only is given that."""
    assert choose(PIP, html_only=True) is Form.HTML
    assert choose("application/vnd.pypi.simple.v1+json", html_only=True) is Form.JSON


def test_refusals_in_json() -> None:
    """For those who like JSON best."""
    assert (wants_json(PIP), wants_json("*/*"), wants_json(None)) == (True, False, False)
