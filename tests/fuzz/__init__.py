"""Broken and hostile input at length: every door through which input comes in, and a fuzzer."""
