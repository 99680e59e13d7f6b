"""The commands of the command line, one module a subject; each is imported when it is asked for."""
