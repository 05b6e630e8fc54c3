"""Runs of the conformance suite of the OpenID Foundation against a gateway (docs/conformance.md)."""
