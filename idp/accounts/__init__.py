"""Services over accounts. Each takes a Work first; none commits."""
