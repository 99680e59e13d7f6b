"""The event log without a screen: what is kept, what of it is shown, and where one stands in it."""
