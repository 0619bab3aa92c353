"""What is recorded: logs, events and metrics, and for whom something is done."""
