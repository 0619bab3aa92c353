"""``regproxy doctor``: looks at what a server needs, and says what to do about what is wrong."""
