"""The HTTP server's kit; it knows no format."""
