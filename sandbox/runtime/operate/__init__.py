"""What can be done to a stack, whichever backend it is on."""
