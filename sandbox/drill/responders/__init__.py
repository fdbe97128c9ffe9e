"""Responders that ship: one that knows the evidence, and several that measure what not looking earns."""
