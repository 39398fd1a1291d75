"""Notifications: the outbox of e-mail and SMS, and the occasions on which a message is queued."""
