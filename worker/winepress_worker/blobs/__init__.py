"""Compiled blobs that alike devices share through the store."""
