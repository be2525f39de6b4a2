"""What other packages take to return a value: one program for each, run in an environment of its own.

The packages are imported by name at run time, because nothing here is installed where type checkers run.
"""
