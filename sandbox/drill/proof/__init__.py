"""Whether a scenario is true, solvable and fair."""
