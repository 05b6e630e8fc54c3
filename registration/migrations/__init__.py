"""The steps of the structure of the tables of registration."""
