"""`python -m portal` is the command line."""

from portal.app import main

main()
