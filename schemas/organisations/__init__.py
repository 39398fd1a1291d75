"""Organisations with their people, programs, issuers, receivers, settings and audit."""
