"""Durable jobs: scores, prints and delivers batches in chunks, each once, with many workers."""
