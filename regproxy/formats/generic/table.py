"""The rule table: nothing is known of these files, so all may change; they are asked about again after ten minutes."""

import re

from regproxy.model.freshness import Freshness, Rule
from regproxy.model.want import Shape

RULES = (Rule(re.compile(""), Shape.FILE, Freshness(period=600.0)),)
