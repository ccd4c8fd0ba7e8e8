"""`python -m autoresearch`, and the `autoresearch` command."""

import sys


def main() -> int:
    """Run the command line and return its exit code."""
    from autoresearch.cli.main import main as run  # noqa: PLC0415 - importing this module does nothing else

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
