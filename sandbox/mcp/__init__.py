"""A room's commands as tools for automated responders (Model Context Protocol), with the rights of a trainee."""
