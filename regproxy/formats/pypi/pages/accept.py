"""Which form a client takes: RFC 9110 section 12.5.1 over the types of PEP 691. Pure.

Nothing said, or nothing that we have: HTML, which every tool understands. Of what a client likes equally HTML comes first.
"""

from enum import Enum

from attrs import frozen

from regproxy.formats.pypi.plan import HTML_TYPE, JSON_TYPE


class Form(Enum):
    """A form with its exact Content-Type."""

    TEXT = "text/html"
    HTML = HTML_TYPE
    JSON = JSON_TYPE

    @property
    def is_json(self) -> bool:
        """Whether it is the JSON form; the other two are the same bytes."""
        return self is Form.JSON


_FORMS = {
    "text/html": Form.TEXT,
    HTML_TYPE: Form.HTML,
    "application/vnd.pypi.simple.latest+html": Form.HTML,
    JSON_TYPE: Form.JSON,
    "application/vnd.pypi.simple.latest+json": Form.JSON,
    "application/json": Form.JSON,
}


@frozen
class _Range:
    media_type: str
    quality: float

    def matches(self, name: str) -> int:
        """How exactly it covers a type; 0 not at all."""
        if self.media_type == name:
            return 3
        if self.media_type == f"{name.partition('/')[0]}/*":
            return 2
        return 1 if self.media_type == "*/*" else 0


def choose(accept: str | None, *, html_only: bool = False) -> Form:
    """The form to answer with.

    Args:
        accept: the field, all of its lines joined.
        html_only: the page was HTML upstream, without upload times and sizes: JSON made of it would promise what it does not
            have, so it is for those who take nothing else.
    """
    ranges = _ranges(accept or "")
    likes = {form: quality for form in Form if (quality := _quality(ranges, form)) > 0}
    if html_only and any(not form.is_json for form in likes):
        likes.pop(Form.JSON, None)
    return max(likes, key=likes.__getitem__, default=Form.TEXT)


def wants_json(accept: str | None) -> bool:
    """Whether a refusal is better written in JSON."""
    return choose(accept).is_json


def _ranges(accept: str) -> list[_Range]:
    found = []
    for item in accept.split(","):
        media_type, *parameters = (part.strip().lower() for part in item.split(";"))
        if media_type:
            found.append(_Range(media_type, _q(parameters)))
    return found


def _q(parameters: list[str]) -> float:
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip() == "q":
            try:
                return min(1.0, max(0.0, float(value)))
            except ValueError:
                return 0.0
    return 1.0


def _quality(ranges: list[_Range], form: Form) -> float:
    names = [name for name, known in _FORMS.items() if known is form]
    best = max(((each.matches(name), each.quality) for each in ranges for name in names), default=(0, 0.0))
    return best[1] if best[0] else 0.0
