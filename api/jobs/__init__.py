"""Durable work: batches scored and printed in chunks, each exactly once, by any number of workers."""
