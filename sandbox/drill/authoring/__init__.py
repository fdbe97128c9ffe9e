"""Checks of a scenario file: everything that would fail later, found at once and without a stack."""
