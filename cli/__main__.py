"""`python -m synthaug.cli`."""

from synthaug.cli.main import main

if __name__ == "__main__":
    main()
