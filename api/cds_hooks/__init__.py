"""CDS Hooks 2.0: services that EHRs call when a chart is opened, and their cards."""
