"""Batches over HTTP: uploads, results and reports."""
