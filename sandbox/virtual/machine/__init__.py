"""Time, processors and calls of the virtual backend."""
