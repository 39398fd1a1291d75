"""`nociscreen doctor`: examines a deployment and creates nothing."""
