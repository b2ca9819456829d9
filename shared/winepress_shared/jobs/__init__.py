"""What a producer may ask for, and how it is checked."""
