"""`python -m daybook` is `daybook`."""

from daybook.cli import main

if __name__ == "__main__":
    main()
