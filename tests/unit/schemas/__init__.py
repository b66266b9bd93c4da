"""What travels between processes."""
