"""The commands of `python -m ml`, one a file: `add_options` and `run`."""
