"""The room in which a team answers a drill together, without a screen: commands in, events out."""
