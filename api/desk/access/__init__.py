"""Who may use the desk: login, invitations, sessions, and proof of identity for settings."""
