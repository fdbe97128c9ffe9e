"""Faults of what a process has to work with: its handlers, its share of the processor."""
