"""Content-addressed bytes: ``interface`` says what a store is, the other modules are stores."""
