"""What the service publishes for everyone: questionnaires, codes, capabilities, the device."""
