"""The version, in a file of its own: who tells it imports nothing else, and nothing imports the package's face."""

__version__ = "0.2.0"
