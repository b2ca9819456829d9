"""The HTTP gateway: a farm's job queue, in the dialects that clients already speak."""
