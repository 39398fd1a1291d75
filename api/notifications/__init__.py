"""Notifications: sends e-mail and SMS to patients and practitioners, without clinical content."""
