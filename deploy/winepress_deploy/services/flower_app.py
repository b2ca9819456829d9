"""The Celery application for Flower: ``celery -A MODULE flower`` imports this module."""

from winepress_shared.broker import make_celery
from winepress_shared.settings import Settings

app = make_celery(Settings.load())
