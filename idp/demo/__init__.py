"""The demonstration: invented companies and people, four applications, one command."""
