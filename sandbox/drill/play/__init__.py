"""A drill that happens: its journal, its engine, its two backends, and the desk of whoever answers it."""
