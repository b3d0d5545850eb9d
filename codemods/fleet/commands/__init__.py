"""The subcommands: data on stdout, everything else on stderr, and an exit code that tells."""
