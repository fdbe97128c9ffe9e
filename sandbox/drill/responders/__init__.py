"""Programs that answer drills: one that knows the evidence, several that measure what not looking earns, and
what plays them."""
