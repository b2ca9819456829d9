"""The rights of each role in the store, as the configuration of its S3 gateway.

The files in ``policies/`` are AWS policy documents with placeholders ``BUCKET`` and ``FARM``.
"""

from __future__ import annotations

import json
from importlib import resources

from winepress_deploy.credentials import Credentials
from winepress_deploy.roles import STORE_ROLES, Role
from winepress_shared.settings import Settings


def policy(role: Role, settings: Settings) -> str:
    """The policy document of a role for one farm, JSON."""
    text = resources.files(__package__).joinpath(f"policies/{role}.json").read_text("utf-8")
    return text.replace("BUCKET", settings.s3_bucket).replace("FARM", settings.farm)


def gateway_config(settings: Settings, credentials: Credentials) -> str:
    """SeaweedFS's file of identities, one per role; JSON with secrets."""
    identities = [
        {
            "name": role,
            "credentials": [
                {"accessKey": key.s3_key_id, "secretKey": key.s3_secret.get_secret_value()}
                for key in credentials.accepted(role)
            ],
            "policyNames": [role],
        }
        for role in STORE_ROLES
    ]
    policies = [{"name": role, "content": policy(role, settings)} for role in STORE_ROLES]
    return json.dumps({"identities": identities, "policies": policies}, indent=1) + "\n"
