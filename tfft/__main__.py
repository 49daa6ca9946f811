"""`python -m tfft` is `tfft`."""

from tfft.cli import main

main()
