"""What counts as a URL in a configuration."""

from urllib.parse import SplitResult, urlsplit


def split_url(text: str) -> SplitResult | None:
    """An http or https URL with a host, and with neither user nor password nor fragment in it; None if it is not one."""
    try:
        parts = urlsplit(text)
        sound = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        return None
    plain = "@" not in parts.netloc and not parts.fragment and text.isascii() and text.isprintable() and " " not in text
    return parts if sound and plain else None
