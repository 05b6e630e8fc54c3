"""Hosted pages: sign-in, settings, console. They call services and never query the database."""
