"""Other providers, as small servers, for ``benchmarks/compare.py``."""
