"""`python -m credenza`: the same as the command `credenza`."""

from credenza.interfaces.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
