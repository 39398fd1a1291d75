"""Immutable models shared by scoring, reports and the API."""
