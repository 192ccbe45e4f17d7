"""Scripts that were written for Hera 5: the keywords that it took, on the Hera that is installed."""

import json
import subprocess
import sys
from typing import Any

import pytest

LOST = {
    "ArtifactoryArtifact": "passwordSecret usernameSecret",
    "AzureArtifact": "accountKeySecret useSDKCreds",
    "CSIVolume": "fsType mountPropagation nodePublishSecretRef readOnly subPath subPathExpr volumeAttributes",
    "CinderVolume": "fsType mountPropagation readOnly secretRef subPath subPathExpr volumeID",
    "ClusterWorkflowTemplate": "cluster_name pod_priority",
    "ConfigMapVolume": "defaultMode mountPropagation readOnly subPath subPathExpr",
    "Container": "http priority",
    "ContainerSet": "http priority",
    "CronWorkflow": "cluster_name pod_priority",
    "DAG": "http priority",
    "Data": "http priority",
    "DownwardAPIVolume": "defaultMode mountPropagation readOnly subPath subPathExpr",
    "EmptyDirVolume": "mountPropagation readOnly sizeLimit subPath subPathExpr",
    "EphemeralVolume": "mountPropagation readOnly subPath subPathExpr volumeClaimTemplate",
    "ExistingVolume": "claimName mountPropagation readOnly subPath subPathExpr",
    "FCVolume": "fsType mountPropagation readOnly subPath subPathExpr targetWWNs",
    "FlexVolume": "fsType mountPropagation readOnly secretRef subPath subPathExpr",
    "FlockerVolume": "datasetName datasetUUID mountPropagation readOnly subPath subPathExpr",
    "GCEPersistentDiskVolume": "fsType mountPropagation pdName readOnly subPath subPathExpr",
    "GCSArtifact": "serviceAccountKeySecret",
    "GitArtifact": (
        "disableSubmodules insecureIgnoreHostKey passwordSecret singleBranch sshPrivateKeySecret usernameSecret"
    ),
    "GitRepoVolume": "mountPropagation readOnly subPath subPathExpr",
    "GlusterfsVolume": "mountPropagation readOnly subPath subPathExpr",
    "HTTP": "http priority",
    "HostPathVolume": "mountPropagation readOnly subPath subPathExpr",
    "ISCSIVolume": (
        "chapAuthDiscovery chapAuthSession fsType initiatorName iscsiInterface mountPropagation readOnly "
        "secretRef subPath subPathExpr targetPortal"
    ),
    "NFSVolume": "mountPropagation readOnly subPath subPathExpr",
    "OSSArtifact": "accessKeySecret createBucketIfNotPresent lifecycleRule secretKeySecret securityToken useSDKCreds",
    "Parameter": "globalName valueFrom",
    "PhotonPersistentDiskVolume": "fsType mountPropagation pdID readOnly subPath subPathExpr",
    "PortworxVolume": "fsType mountPropagation readOnly subPath subPathExpr volumeID",
    "ProjectedVolume": "defaultMode mountPropagation readOnly subPath subPathExpr",
    "QuobyteVolume": "mountPropagation readOnly subPath subPathExpr",
    "RBDVolume": "fsType mountPropagation readOnly secretRef subPath subPathExpr",
    "Resource": "http priority",
    "S3Artifact": (
        "accessKeySecret caSecret createBucketIfNotPresent encryptionOptions roleARN secretKeySecret useSDKCreds"
    ),
    "ScaleIOVolume": (
        "fsType mountPropagation protectionDomain readOnly secretRef sslEnabled storageMode storagePool "
        "subPath subPathExpr volumeName"
    ),
    "Script": "http priority",
    "SecretVolume": "defaultMode mountPropagation readOnly secretName subPath subPathExpr",
    "Steps": "http priority",
    "StorageOSVolume": "fsType mountPropagation readOnly secretRef subPath subPathExpr volumeName volumeNamespace",
    "Suspend": "http priority",
    "UserContainer": (
        "livenessProbe mirrorVolumeMounts readinessProbe securityContext startupProbe stdinOnce "
        "terminationMessagePath terminationMessagePolicy volumeDevices volumeMounts workingDir"
    ),
    "Volume": "dataSource dataSourceRef mountPropagation readOnly subPath subPathExpr volumeMode volumeName",
    "VsphereVirtualDiskVolume": (
        "fsType mountPropagation readOnly storagePolicyID storagePolicyName subPath subPathExpr volumePath"
    ),
    "Workflow": "cluster_name pod_priority",
    "WorkflowTemplate": "cluster_name pod_priority",
}
"""What constructors of Hera 5.18.0 take and those of Hera 7.1.0 do not, by inspection of both."""


def in_a_script(source: str) -> subprocess.CompletedProcess[str]:
    """Run a script after the facade's activation; the classes of this process stay as they are."""
    source = "from hera_k8s_argo.hera_5 import accept_hera_5\naccept_hera_5()\naccept_hera_5()\n" + source
    return subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, timeout=60, check=False)


def printed(source: str) -> str:
    done = in_a_script(source)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_keyword_of_hera_5_is_taken() -> None:
    source = f"""
import warnings
import hera.workflows as hw
for name, words in {LOST!r}.items():
    cls = getattr(hw, name)
    made = {{"name": "a", "mount_path": "/m", "image": "i", "size": "1Gi"}}
    import inspect
    known = inspect.signature(cls).parameters
    needed = {{p: "x" for p, v in known.items() if v.default is v.empty and p not in made}}
    base = {{k: v for k, v in made.items() if k in known}} | needed
    for word in words.split():
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            own = {{k: v for k, v in base.items() if k.replace("_", "") != word.lower()}}
            cls(**own, **{{word: None}})
        assert [f"{{name}}({{word}}=...)" in str(each.message) for each in told].count(True) == 1, (name, word, told)
print("all taken")
"""
    assert printed(source) == "all taken\n"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ('ConfigMapEnvFrom(config_map_name="proxy")', {"configMapRef": {"name": "proxy"}}),
        ('SecretEnvFrom(secret_name="login", optional=True)', {"secretRef": {"name": "login", "optional": True}}),
        ('ConfigMapEnvFrom(name="proxy", prefix="P_")', {"configMapRef": {"name": "proxy"}, "prefix": "P_"}),
    ],
)
@pytest.mark.parametrize("place", ["env", "env_from"])
def test_a_config_map_reaches_the_container_whole(written: str, meant: dict[str, Any], place: str) -> None:
    source = f"""
import json
from hera.workflows import *
with Workflow(generate_name="a-", entrypoint="main") as w:
    Container(name="main", image="busybox", command=["env"], {place}=[{written}, Env(name="A", value="1")][:COUNT])
container = w.to_dict()["spec"]["templates"][0]["container"]
print(json.dumps(container.get("envFrom")), json.dumps(container.get("env")))
""".replace("COUNT", "2" if place == "env" else "1")
    sources, _, variables = printed(source).partition("] ")
    assert json.loads(sources + "]") == [meant]
    assert json.loads(variables) == ([{"name": "A", "value": "1"}] if place == "env" else None)


def test_values_arrive_under_the_new_name() -> None:
    source = """
from hera.workflows import *
v = ExistingVolume(name="d", claimName="data", mount_path="/m", readOnly=True, subPath="a")
print(v.claim_name, v.read_only, v.sub_path)
print(Parameter(name="p", globalName="g", valueFrom={"path": "/x"}).global_name)
print(S3Artifact(name="s", path="/p", bucket="b", key="k", useSDKCreds=True).use_sdk_creds)
print(AWSElasticBlockStoreVolumeVolume.__name__, AzureDiskVolumeVolume is AzureDiskVolume)
"""
    source = source.replace(
        "import *\n", "import *\nfrom hera.workflows import AWSElasticBlockStoreVolumeVolume, AzureDiskVolumeVolume\n"
    )
    assert printed(source) == "data True a\ng\nTrue\nAWSElasticBlockStoreVolume True\n"


def test_the_warning_names_the_line_of_the_script_and_the_new_keyword(tmp_path: Any) -> None:
    script = tmp_path / "old.py"
    script.write_text(
        "from hera_k8s_argo.hera_5 import accept_hera_5\naccept_hera_5()\n"
        'from hera.workflows import SecretVolume\nSecretVolume(name="s", secretName="login", mount_path="/s")\n'
        "from hera.workflows import Steps, Workflow, script\n"
        '@script(imagePullPolicy="Always")\ndef one():\n    pass\n'
        'with Workflow(name="w", entrypoint="m"), Steps(name="m"): one(name="a")\n'
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert f"{script}:4: FutureWarning: SecretVolume(secretName=...): Hera 7 calls it secret_name=" in done.stderr
    assert f"{script}:6: FutureWarning: Script(imagePullPolicy=...): Hera 7 calls it image_pull_policy=" in done.stderr


@pytest.mark.parametrize("words", ["nosuch=1", 'name="a", config_map_name="b"'])
def test_what_neither_version_takes_is_still_refused_by_hera(words: str) -> None:
    done = in_a_script(f"from hera.workflows import ConfigMapEnvFrom\nConfigMapEnvFrom({words})")
    assert done.returncode == 1
    assert "TypeError: ConfigMapEnvFrom.__init__() got an unexpected keyword argument" in done.stderr


def test_nothing_changes_for_experiments_of_today() -> None:
    source = "import hera_k8s_argo.plugin\nfrom hera.workflows import SecretEnvFrom\nSecretEnvFrom(secret_name='a')"
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "TypeError" in done.stderr
