"""Scenarios as their author and the instructor have them: the library, files of one's own, checks, proofs, dry runs."""
