"""What stands behind the question mark, read by ``&`` and ``=`` alone: a ``;`` belongs to a value. Pure."""

from urllib.parse import unquote_plus

from attrs import frozen

from regproxy.errors import Kind, RegproxyError


@frozen
class Arguments:
    """Names and values in their order; a name without a value has an empty one."""

    pairs: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, uri: bytes) -> "Arguments":
        """Read the target of a request."""
        fields = [field.partition("=") for field in uri.partition(b"?")[2].decode("latin-1").split("&") if field]
        try:
            return cls(tuple((unquote_plus(name), unquote_plus(value, errors="strict")) for name, _, value in fields))
        except UnicodeDecodeError:
            raise RegproxyError(Kind.INVALID, "a parameter is not UTF-8") from None

    def __contains__(self, name: str) -> bool:
        return any(name == given for given, _ in self.pairs)

    def first(self, name: str, default: str = "") -> str:
        """The first value of a name."""
        return next((value for given, value in self.pairs if given == name), default)

    def flag(self, name: str, *, default: bool) -> bool:
        """``1`` or ``true``, ``0`` or ``false``."""
        value = self.first(name, "1" if default else "0").lower()
        if value not in ("0", "1", "true", "false"):
            raise RegproxyError(Kind.INVALID, f"{name} is 0 or 1")
        return value in ("1", "true")

    def number(self, name: str, default: int) -> int:
        """A small number."""
        value = self.first(name, str(default))
        if not (value.isascii() and value.isdigit() and len(value) < 6):  # noqa: PLR2004 - digits
            raise RegproxyError(Kind.INVALID, f"{name} is a number")
        return int(value)

    def words(self, name: str) -> tuple[str, ...]:
        """A list with commas."""
        return tuple(word for word in self.first(name).split(",") if word)
