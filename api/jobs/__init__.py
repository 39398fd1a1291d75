"""Durable work: batches scored and printed in chunks, each once, by any number of workers."""
