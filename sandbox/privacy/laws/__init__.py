"""One law a file. docs/privacy.md has the table; `sandbox.privacy.rules` reads and checks them."""
