"""CDS Hooks 2.0: what an EHR asks when a chart is opened, and cards for it. Translation only."""
