"""How a fault is put on the seams of a process from outside."""
