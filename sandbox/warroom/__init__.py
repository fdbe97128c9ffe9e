"""The room over HTTP: commands, what one may see, and one stream of events for each participant."""
