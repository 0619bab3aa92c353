"""OCI and Docker registries."""
