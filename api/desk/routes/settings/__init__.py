"""Routes of the settings of a practice: its people, programs, receivers, forms and numbers."""
