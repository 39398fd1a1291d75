"""Receives HL7 messages, and does what the organisation's rules say for each."""
