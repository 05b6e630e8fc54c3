"""Runs of the OpenID Foundation's conformance suite against a gateway (docs/conformance.md)."""
