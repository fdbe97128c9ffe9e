"""Who asks, what they do with what they are shown, and the ledger of it."""
