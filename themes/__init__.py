"""Themes as data: one TOML file each, found by its name."""
