"""Layers of a room's diagram: what is known of any stack, and nothing of this drill."""
