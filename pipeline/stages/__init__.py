"""The stages a command runs: they wire the parts together and print nothing."""
