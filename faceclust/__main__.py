"""Entry point of `python -m faceclust`."""

from faceclust.cli import main

if __name__ == "__main__":
    main()
