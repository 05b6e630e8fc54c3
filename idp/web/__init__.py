"""Hosted pages."""
