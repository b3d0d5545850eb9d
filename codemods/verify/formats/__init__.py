"""The faces of a report: text for a terminal, JSON, JUnit XML, Markdown."""
