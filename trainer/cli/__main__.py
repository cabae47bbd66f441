"""`python -m trainer.cli`: the headless commands."""

from trainer.cli.app import main

if __name__ == "__main__":
    main()
