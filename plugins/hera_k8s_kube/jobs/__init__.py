"""Plain Kubernetes Jobs, without Argo: submitted exactly once, followed by one watch, read, waited for and stopped.

from hera_k8s_kube.jobs import open_jobs

jobs = open_jobs(context)                 # of a container, or of a command's session
jobs.submit(manifest)
print(jobs.wait("hello", timeout=600).phase)
"""

from hera_k8s_kube.jobs.builders import indexed_job, plain_job
from hera_k8s_kube.jobs.client import Jobs, JobTimeout, JobUpdate, map_concurrently, open_jobs, submit_all
from hera_k8s_kube.jobs.job_status import Job
from hera_k8s_kube.jobs.manifest import escape_dollars, jobs_of
from hera_k8s_utils._moved import forward

__getattr__ = forward(__name__)

__all__ = [
    "Job",
    "JobTimeout",
    "JobUpdate",
    "Jobs",
    "escape_dollars",
    "indexed_job",
    "jobs_of",
    "map_concurrently",
    "open_jobs",
    "plain_job",
    "submit_all",
]
