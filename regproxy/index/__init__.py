"""What is known about the bytes: ``interface`` says what an index is, the other modules are indexes."""
