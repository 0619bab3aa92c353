"""Which version of Artifactory's API this server speaks. Clients compare it with what they need, and choose their calls by it."""

LEVEL = "7.98.0"
"""The first one that makes no API keys any more; what of it is served, ``docs/api/rest.md`` says."""
