"""`python -m tui` is `trunkline`."""

from tui.cli import main

main(prog_name="trunkline")
