raise SystemExit("a test is not imported")
