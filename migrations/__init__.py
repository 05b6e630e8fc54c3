"""The steps of the database's structure, in the wheel so that ``gateway db upgrade`` has them."""
