"""Second factors and risk: calculations only."""
