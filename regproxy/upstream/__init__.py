"""One object per configured remote: connections, credentials, redirects, health."""
