"""Which paths of an image repository change, and how often upstream is asked: data.

A digest in a path makes its bytes immutable. Tags, lists of tags and referrers are believed for a minute.
"""

import re

from regproxy.model.freshness import IMMUTABLE, Freshness, Rule
from regproxy.model.want import Shape

MINUTE = Freshness(period=60.0)

RULES = (
    Rule(re.compile(r"/_layers/sha(256|512)__[0-9a-f]+$"), Shape.BLOB, IMMUTABLE),
    Rule(re.compile(r"/sha(256|512):[0-9a-f]+/manifest\.json$"), Shape.BLOB, IMMUTABLE),
    Rule(re.compile(r"/_tags/"), Shape.DOCUMENT, MINUTE),
    Rule(re.compile(r"/_referrers/"), Shape.DOCUMENT, MINUTE),
    Rule(re.compile(r""), Shape.DOCUMENT, MINUTE),
)
