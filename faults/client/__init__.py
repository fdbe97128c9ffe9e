"""Faults of how callers call: their retries."""
