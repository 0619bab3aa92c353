"""Who is asking, and what may they do: users, passwords, tokens, rights. Knows no request."""
