"""The commands of those who run the service. Each opens the store, acts audited, and ends."""
