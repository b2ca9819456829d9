"""The chart's CronJob deletes old pictures with a key that nothing else in the cluster has."""

from __future__ import annotations

from support.deployed_files import one, pods, rendered

_VALUES = {
    "cleaning": {"enabled": True},
    "flower": {"enabled": True},
    "metrics": {"enabled": True},
    "secrets": {"operator": "farm.operator"},
}


def test_there_is_none_unless_it_is_asked_for() -> None:
    """The operator's settings need not be in the cluster."""
    manifests = rendered({})
    assert "CronJob" not in {each["kind"] for each in manifests}
    assert "operator" not in str(manifests)


def test_only_what_deletes_pictures_is_given_the_operators_settings() -> None:
    """Workers and gateway cannot delete any."""
    given = {
        name
        for name, pod in pods(rendered(_VALUES)).items()
        for volume in pod["volumes"]
        if volume.get("secret", {}).get("secretName") == "farm.operator"
    }
    assert given == {"night-winepress-cleaning"}


def test_it_runs_by_itself_never_twice_at_a_time_and_nobody_may_call_it() -> None:
    """One that fails is tried again, and the next continues what is left."""
    manifests = rendered(_VALUES)
    job = one(manifests, "CronJob", "cleaning")["spec"]
    assert (job["schedule"], job["concurrencyPolicy"]) == ("17 */6 * * *", "Forbid")
    assert job["jobTemplate"]["spec"]["template"]["spec"]["restartPolicy"] == "Never"
    policy = one(manifests, "NetworkPolicy", "cleaning")["spec"]
    assert "ingress" not in policy
    assert policy["policyTypes"] == ["Ingress", "Egress"]
