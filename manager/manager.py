"""Keeps named connections up and tells the truth about them."""
