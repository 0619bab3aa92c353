"""What a repository is, and the classes of repositories."""
