"""How a camera marks a picture that lies on its side (EXIF 2.32, tag 274)."""

from __future__ import annotations

ORIENTATION = 0x0112  #: EXIF tag
#: Its value → where the stored corners of a 2x2 picture belong when it is upright.
UPRIGHT = {
    1: (0, 1, 2, 3),
    2: (1, 0, 3, 2),
    3: (3, 2, 1, 0),
    4: (2, 3, 0, 1),
    5: (0, 2, 1, 3),
    6: (2, 0, 3, 1),
    7: (3, 1, 2, 0),
    8: (1, 3, 0, 2),
}
