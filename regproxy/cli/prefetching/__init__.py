"""``regproxy prefetch``: has a server fetch what will be asked for."""
