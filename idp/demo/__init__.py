"""The demonstration: invented companies and people, three relying parties, one command."""
