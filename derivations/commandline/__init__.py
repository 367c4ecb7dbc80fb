"""The command line: what is asked, how it is answered, and what the help says."""
