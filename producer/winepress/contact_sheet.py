"""Many pictures on one sheet, each with a caption."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PIL import Image, ImageDraw, ImageFont

_CELL_PX = 192  #: side of one picture on the sheet
_GAP_PX = 12
_CAPTION_PX = 30  #: room for two lines of text
_FONT_PX = 12
_PAPER = (250, 249, 246)
_INK = (60, 56, 52)


def contact_sheet(
    pictures: Sequence[tuple[str, Image.Image]], columns: int | None = None
) -> Image.Image:
    """Arrange captioned pictures in a grid; each is fitted into a square and never cropped.

    Without ``columns`` the grid is about square. Raises ValueError when there is no picture.
    """
    if not pictures:
        raise ValueError("a contact sheet needs at least one picture")
    columns = columns or min(len(pictures), max(2, round((len(pictures) * 1.4) ** 0.5)))
    rows = -(-len(pictures) // columns)
    step_x, step_y = _CELL_PX + _GAP_PX, _CELL_PX + _CAPTION_PX + _GAP_PX
    sheet = Image.new("RGB", (columns * step_x + _GAP_PX, rows * step_y + _GAP_PX), _PAPER)
    for index, (caption, picture) in enumerate(pictures):
        row, column = divmod(index, columns)
        left, top = _GAP_PX + column * step_x, _GAP_PX + row * step_y
        _place(sheet, picture, left, top)
        _write(sheet, caption, left, top + _CELL_PX + 3)
    return sheet


def _place(sheet: Image.Image, picture: Image.Image, left: int, top: int) -> None:
    fitted = picture.convert("RGB")
    fitted.thumbnail((_CELL_PX, _CELL_PX), Image.Resampling.LANCZOS)
    offset = ((_CELL_PX - fitted.width) // 2, (_CELL_PX - fitted.height) // 2)
    sheet.paste(fitted, (left + offset[0], top + offset[1]))


def _write(sheet: Image.Image, caption: str, left: int, top: int) -> None:
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(_FONT_PX)
    lines = _wrap(caption, lambda text: draw.textlength(text, font=font) <= _CELL_PX)
    draw.multiline_text((left, top), "\n".join(lines), fill=_INK, font=font, spacing=2)


def _wrap(caption: str, fits: Callable[[str], bool]) -> list[str]:
    """At most two lines; what does not fit is cut with an ellipsis."""
    lines = [""]
    for word in caption.split():
        candidate = f"{lines[-1]} {word}".strip()
        if fits(candidate):
            lines[-1] = candidate
        else:
            lines.append(word)
    if len(lines) > 2:
        lines = [lines[0], lines[1] + " …"]
    while not fits(lines[-1]) and len(lines[-1]) > 2:
        lines[-1] = lines[-1][:-2].rstrip(" …") + "…"
    return [line for line in lines if line]
