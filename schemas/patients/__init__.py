"""Patients with their links, screenings and rights."""
