"""What people see of jobs, workers and lanes: tables, boards and the live farm."""
