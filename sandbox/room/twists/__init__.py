"""What an instructor does to a room beside talking: faults by hand, injects that act, stakeholders who press."""
