"""Ask a farm for pictures, wait for them, fetch them."""
