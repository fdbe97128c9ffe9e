"""What is served: candidates, scores and slates, one at a time and many at once."""
