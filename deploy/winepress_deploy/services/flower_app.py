"""The Celery application for Flower: ``celery -A MODULE flower`` imports this module."""

from winepress_shared.broker import make_celery
from winepress_shared.broker_url import BrokerUrl
from winepress_shared.json_log import begin_json_log
from winepress_shared.settings import Settings

settings = Settings.load()
if settings.log_format == "json":  # before Tornado, which leaves a log that there is alone
    begin_json_log()
app = make_celery(settings)
url = BrokerUrl.of(settings.broker_url)
if url.group is not None:  # Flower knows Sentinels by kombu's own transport
    app.conf.update(broker_transport=None, broker_url=";".join(url.addresses))
