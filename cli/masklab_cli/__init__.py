"""The command line: parse, call one function of `masklab.stages`, print."""
