"""Processes of this machine: started, watched, restarted, ended."""
