"""What is told of one connection, section by section: words and tones, apart from how they are drawn."""
