"""The program's sets of injects, a YAML file each."""
