"""``python -m heksherlite``: the command line."""

from heksherlite.cli import main

if __name__ == "__main__":
    main()
