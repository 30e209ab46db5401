"""Commands of the command line, one a module; `kmm.cli` registers them."""
