"""What must survive a restart: records, writes, and the blocking drivers that keep them."""
