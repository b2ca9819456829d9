"""The Celery application that Flower watches: ``celery -A MODULE flower``, this module."""

from winepress_shared.broker import make_celery
from winepress_shared.settings import Settings

app = make_celery(Settings.load())
