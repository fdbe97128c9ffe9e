"""A drill as data: what a scenario file may say, the words of it, and where scenarios lie."""
