"""Pages for browsers. They know nothing but the API."""
