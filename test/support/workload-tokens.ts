/** Claims as platforms put them into the tokens of their workloads. */
import { randomUUID } from "node:crypto";

const gatewayAudience = "spiffe://latticegate.local/gateway";

/** A projected service account token (Kubernetes 1.30 and later). */
export function kubernetesClaims(
  account = "builder",
  namespace = "agents",
): Readonly<Record<string, unknown>> {
  return {
    aud: [gatewayAudience],
    jti: randomUUID(),
    "kubernetes.io": {
      namespace,
      node: { name: "node-1", uid: randomUUID() },
      pod: { name: `${account}-6d4cf56db6-x2x8v`, uid: randomUUID() },
      serviceaccount: { name: account, uid: randomUUID() },
    },
    nbf: Math.floor(Date.now() / 1000),
    sub: `system:serviceaccount:${namespace}:${account}`,
  };
}

/** An id token of GitHub Actions. */
export function githubClaims(repository = "acme/deploy-bot"): Readonly<Record<string, unknown>> {
  const [owner = ""] = repository.split("/");
  return {
    jti: randomUUID(),
    sub: `repo:${repository}:ref:refs/heads/main`,
    aud: gatewayAudience,
    ref: "refs/heads/main",
    sha: "4f0c3c5b1d1d6b3a2c1c0e6d8a5f7e9b0a1b2c3d",
    repository,
    repository_owner: owner,
    repository_owner_id: "65",
    run_id: "7102394857",
    run_number: "10",
    run_attempt: "2",
    repository_visibility: "private",
    repository_id: "74",
    actor_id: "12",
    actor: "octocat",
    workflow: "deploy",
    head_ref: "",
    base_ref: "",
    event_name: "push",
    ref_protected: "true",
    ref_type: "branch",
    workflow_ref: `${repository}/.github/workflows/deploy.yml@refs/heads/main`,
    job_workflow_ref: `${repository}/.github/workflows/deploy.yml@refs/heads/main`,
    runner_environment: "github-hosted",
    nbf: Math.floor(Date.now() / 1000) - 600,
  };
}

/** An id token of GitLab CI. */
export function gitlabClaims(project = "acme/tools/linter"): Readonly<Record<string, unknown>> {
  const namespace = project.slice(0, project.lastIndexOf("/"));
  return {
    namespace_id: "72",
    namespace_path: namespace,
    project_id: "20",
    project_path: project,
    user_id: "1",
    user_login: "sample-user",
    user_access_level: "developer",
    pipeline_id: "574",
    pipeline_source: "push",
    job_id: "302",
    ref: "main",
    ref_type: "branch",
    ref_path: "refs/heads/main",
    ref_protected: "true",
    runner_id: 1,
    runner_environment: "self-hosted",
    project_visibility: "private",
    ci_config_ref_uri: `gitlab.example.com/${project}//.gitlab-ci.yml@refs/heads/main`,
    jti: randomUUID(),
    nbf: Math.floor(Date.now() / 1000) - 5,
    sub: `project_path:${project}:ref_type:branch:ref:main`,
    aud: gatewayAudience,
  };
}
