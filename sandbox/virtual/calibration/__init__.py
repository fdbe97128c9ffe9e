"""How long things take on a live stack, and what ships as its figures."""
