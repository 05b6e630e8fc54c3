"""Applications that show how to use the gateway."""
