"""What is done for one repository: fetch, plan, mend, verify."""
