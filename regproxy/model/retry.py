"""When upstream says that it may be asked again: Retry-After, RFC 9110 section 10.2.3. Pure."""

import math

from regproxy.model.headers import Headers
from regproxy.model.validators import parse_date

LONGEST = 3600
"""Nobody is left alone for longer than this on his own word."""
_DIGITS = 9


def retry_after(headers: Headers) -> int | None:
    """Seconds to wait, an hour at most; None for nonsense. A date counts from the answer's own Date: clocks differ."""
    value = (headers.first("retry-after") or "").strip()
    if value.isascii() and value.isdigit():
        return min(int(value), LONGEST) if len(value) <= _DIGITS else LONGEST
    until, said = (parse_date(text) if text else None for text in (value, headers.first("date")))
    if until is None or said is None:
        return None
    return max(0, min(math.ceil(until - said), LONGEST))
