"""The panels that there are, for tests that walk all of them."""

PANELS = (
    "traces", "traces/{trace}", "slates", "slates/{request_id}", "users/{user}", "items/{item}", "logs", "logs/patterns",
    "dashboards/{board}", "stack",
)  # fmt: skip
