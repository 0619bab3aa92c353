"""Which paths of a repository change, and how often upstream is asked: data.

What lies below a full commit id never changes: its files, and its trees unless they are expanded by what changes. Branches, tags
and everything that counts or is searched is believed for a minute. That a file is not in a commit is believed for an hour, for
transformers asks for many that are not; that something else is not there, for seconds.
"""

import re

from regproxy.model.freshness import Freshness, Rule
from regproxy.model.want import Shape

FOREVER = Freshness(period=None, negative=3600.0)
MINUTE = Freshness(period=60.0, negative=10.0)

_REPO = r"^[^/]+/[^/]+/[^/]+"

RULES = (
    Rule(re.compile(_REPO + r"/[0-9a-f]{40}/"), Shape.BLOB, FOREVER),
    Rule(re.compile(_REPO + r"/_trees/[0-9a-f]{40}(/[^?]*)?\.json(\?(?!.*expand=true).*)?$"), Shape.DOCUMENT, FOREVER),
    Rule(re.compile(""), Shape.DOCUMENT, MINUTE),
)
