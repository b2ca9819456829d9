"""Tables and boards for people, drawn by rich on a terminal and written as plain text elsewhere.

rich is imported when something is drawn, or where the width of a text must be measured.
"""
