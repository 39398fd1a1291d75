"""HL7 v2.5.1: encodes and parses messages, without any I/O."""
