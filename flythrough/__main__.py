"""The command ``flythrough``, also as ``python -m flythrough``. Worker processes import this too: keep it light."""


def main() -> None:
    """Entry point."""
    from .cli.app import main as run

    run()


if __name__ == "__main__":
    main()
