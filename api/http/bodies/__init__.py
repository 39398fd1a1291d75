"""Bodies of requests and responses: strict JSON, limits of size and time, ranges, compression."""
