"""The log of a program that has the screen for itself."""

from __future__ import annotations

import logging
import logging.handlers

import platformdirs


def log_to_file() -> None:
    """Keep warnings and tracebacks where they do not disturb the screen: 1 MiB, and the one before."""
    folder = platformdirs.user_log_path("trunkline")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError:
        logging.disable()
        return
    logging.basicConfig(
        level=logging.WARNING,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        handlers=[
            logging.handlers.RotatingFileHandler(
                folder / "trunkline.log", maxBytes=2**20, backupCount=1, delay=True
            )
        ],
    )
