"""The panels that there are, for tests that walk all of them."""

PANELS = ("traces", "traces/{trace}")
