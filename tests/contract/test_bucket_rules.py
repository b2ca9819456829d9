"""Life-cycle rules of a bucket, which docs/upkeep.md names beside `winepress clean`."""

from __future__ import annotations

from support.servers import S3Server

from winepress_shared.stores.s3_client import open_client


def test_a_rule_for_the_jobs_of_a_farm_is_taken_and_kept(s3_server: S3Server) -> None:
    """When it acts is the server's business: rules count in days."""
    settings = s3_server.settings()
    client, bucket = open_client(settings), settings.s3_bucket
    client.put_bucket_lifecycle_configuration(
        Bucket=bucket,
        LifecycleConfiguration={
            "Rules": [
                {
                    "ID": "old-pictures",
                    "Status": "Enabled",
                    "Filter": {"Prefix": f"{settings.farm}/jobs/"},
                    "Expiration": {"Days": 365},
                }
            ]
        },
    )
    (rule,) = client.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    assert (rule["Filter"], rule["Expiration"]) == (
        {"Prefix": f"{settings.farm}/jobs/"},
        {"Days": 365},
    )
    client.delete_bucket_lifecycle(Bucket=bucket)
