"""What would have been: the runs that a drill is compared with, and the harm between them."""
