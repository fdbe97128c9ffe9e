"""Scenarios of one's own: everything that would fail later, found at once and without a stack; pictures, drafts."""
