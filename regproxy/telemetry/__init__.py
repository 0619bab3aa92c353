"""What is recorded: the access log and the metrics."""
