"""Tables and boards for eyes, drawn by rich on a terminal and written as plain text elsewhere.

rich is imported by `drawing` alone, and that is imported when something is drawn.
"""
