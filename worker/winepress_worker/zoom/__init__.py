"""Infinite zoom: what each key frame needs, how it is drawn, and the film cut from them."""
