"""The Celery application that Flower watches: ``celery -A winepress_deploy.services.flower_app flower``."""

from winepress_shared.broker import make_celery
from winepress_shared.settings import Settings

app = make_celery(Settings.load())
