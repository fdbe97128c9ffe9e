"""The services as the virtual backend has them, one file for one of services/."""
