"""How many rows a second each store takes from its sink, and what Daybook costs the PostgreSQL beside it."""
