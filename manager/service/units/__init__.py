"""The unit files that come with trunkline."""
