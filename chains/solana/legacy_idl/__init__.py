"""The IDL account of Anchor before 1.0, which the program itself owns and writes, where it was built with the instructions."""
