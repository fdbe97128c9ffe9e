"""What a drill was worth: cause, evidence, conduct and impact, item by item."""
