"""One screen: the drill shell, its questions, and the debrief."""
