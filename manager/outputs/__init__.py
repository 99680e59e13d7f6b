"""Listeners of events: what the manager does, told to programs and people."""
