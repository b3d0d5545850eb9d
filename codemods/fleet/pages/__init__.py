"""Pages of the whole fleet: HTML, CSV, JSON, and the table for a terminal."""
