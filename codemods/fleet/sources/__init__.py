"""Where repositories come from: checkouts, bare repositories, URLs, folders, archives, the package index."""
