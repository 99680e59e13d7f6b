"""Benchmarks: each compares both sides in one go. `python -m bench [NAME…]` writes RESULTS.md."""
